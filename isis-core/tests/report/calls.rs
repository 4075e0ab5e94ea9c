//! What processes ask of a [`Cluster`], what they take from it, and both in words.

use bytes::Bytes;
use isis_core::delivery::{Endpoint, Event, Label, Limits, Olabel, Outcome};
use isis_core::error::Error;
use isis_core::ids::{GroupId, MessageId, ProcessId, Site};
use isis_core::machine::broadcast::{Address, Call, Input, Status};

use crate::cluster::Cluster;

/// An explicit destination list.
pub fn list(processes: &[ProcessId]) -> Address {
    Address::List(processes.to_vec())
}

/// The olabel of a stream.
pub fn stream(name: &str) -> Olabel {
    Olabel::Stream(name.into())
}

impl Cluster {
    /// Opens a process.
    pub fn open(&mut self, at: Site, index: u32) -> ProcessId {
        let id = ProcessId { site: at, index };
        let limits = Limits::from(&self.config);
        self.endpoints.insert(id, Endpoint::new(id, limits));
        let name = id.to_string();
        self.call(id, Call::Open { name });
        id
    }

    fn call(&mut self, process: ProcessId, call: Call) {
        let input = Input::Call {
            process: process.index,
            call,
        };
        self.step(process.site, input);
    }

    /// Has the process's endpoint make a call, and passes it on.
    fn ask<T>(
        &mut self,
        process: ProcessId,
        make: impl FnOnce(&mut Endpoint) -> Result<(T, Call), Error>,
    ) -> Result<T, Error> {
        let endpoint = self.endpoints.get_mut(&process).expect("an open process");
        let (answer, call) = make(endpoint)?;
        self.call(process, call);
        Ok(answer)
    }

    pub fn join(&mut self, process: ProcessId, name: &str) {
        self.ask(process, |e| e.join(name)).unwrap();
    }

    pub fn lookup(&mut self, process: ProcessId, name: &str) {
        self.ask(process, |e| e.lookup(name)).unwrap();
    }

    pub fn leave(&mut self, process: ProcessId, group: GroupId) {
        self.ask(process, |e| e.leave(group)).unwrap();
    }

    pub fn close(&mut self, process: ProcessId) {
        self.ask(process, Endpoint::close).unwrap();
    }

    pub fn flush(&mut self, process: ProcessId) {
        self.ask(process, Endpoint::flush).unwrap();
    }

    /// Flushes as a blocking call does: nothing is taken until it returns.
    pub fn flush_blocking(&mut self, process: ProcessId) -> u64 {
        let token = self.ask(process, Endpoint::flush).unwrap();
        let endpoint = self.endpoints.get_mut(&process);
        endpoint.expect("an open process").expect(token);
        token
    }

    /// Whether the blocking call has returned.
    pub fn has_returned(&mut self, process: ProcessId, token: u64) -> bool {
        let endpoint = self.endpoints.get_mut(&process).expect("an open process");
        endpoint.outcome(token).is_some()
    }

    pub fn status(&mut self, process: ProcessId, id: MessageId) -> Status {
        let expected = |e: &mut Endpoint| {
            let (token, call) = e.status(id)?;
            e.expect(token);
            Ok((token, call))
        };
        let token = self.ask(process, expected).unwrap();
        let endpoint = self.endpoints.get_mut(&process).expect("an open process");
        match endpoint.outcome(token) {
            Some(Ok(Outcome::Status(answer))) => answer.status,
            other => panic!("{other:?} is no answer to a status call"),
        }
    }

    pub fn bcast(&mut self, process: ProcessId, to: Address, label: &str, text: &str) -> MessageId {
        self.try_bcast(process, to, label, text).unwrap()
    }

    pub fn safe_bcast(
        &mut self,
        process: ProcessId,
        to: Address,
        label: &str,
        text: &str,
    ) -> MessageId {
        self.ask(process, |e| e.safe_bcast(to, label, payload(text)))
            .unwrap()
    }

    pub fn try_bcast(
        &mut self,
        process: ProcessId,
        to: Address,
        label: &str,
        text: &str,
    ) -> Result<MessageId, Error> {
        self.ask(process, |e| e.bcast(to, label, payload(text)))
    }

    pub fn obcast(
        &mut self,
        process: ProcessId,
        to: Address,
        olabel: Olabel,
        text: &str,
    ) -> MessageId {
        if let (Some(order), Olabel::Stream(name)) = (&self.config.olabels, &olabel) {
            let endpoint = self.endpoints.get_mut(&process).expect("an open process");
            for earlier in endpoint.questions(&olabel) {
                let relation = order.relation(&earlier, name).expect("a sound comparison");
                endpoint.learn(&earlier, name, relation);
            }
        }
        self.ask(process, |e| e.obcast(to, olabel, payload(text)))
            .unwrap()
    }

    pub fn gbcast(&mut self, process: ProcessId, group: GroupId, text: &str) -> MessageId {
        self.ask(process, |e| e.gbcast(group, payload(text)))
            .unwrap()
    }

    /// A group of these processes, oldest first. Nothing is left in the logs.
    pub fn group(&mut self, name: &str, members: &[ProcessId]) -> GroupId {
        for process in members {
            self.join(*process, name);
            self.run();
        }
        let joined = self.taken[&members[0]].iter().rev().find_map(|e| match e {
            Event::View(view) if view.name == name => Some(view.group),
            _ => None,
        });
        self.forget_messages();
        joined.expect("the group has formed")
    }

    /// Forgets what was taken, but for the views that hold now.
    pub fn forget_messages(&mut self) {
        for log in self.taken.values_mut() {
            log.retain(|e| matches!(e, Event::View(_) | Event::SiteView(_)));
        }
    }

    /// Sends BCASTs of a process to itself, so that the clock of its site stands higher by `n`.
    pub fn raise_clock(&mut self, process: ProcessId, n: u64) {
        for i in 0..n {
            self.bcast(process, list(&[process]), "clock", &format!("tick {i}"));
        }
        self.take(process);
        self.forget_messages();
    }

    /// The process takes all its events.
    pub fn take(&mut self, process: ProcessId) -> bool {
        let mut any = false;
        while let Some(endpoint) = self.endpoints.get_mut(&process)
            && let Some(event) = endpoint.next()
        {
            any = true;
            self.taken.entry(process).or_default().push(event);
        }
        let Some(endpoint) = self.endpoints.get_mut(&process) else {
            return any;
        };
        if let Some(call) = endpoint.taken() {
            self.call(process, call);
        }
        any
    }

    /// Every process that is not slow takes what it has.
    pub fn take_all(&mut self) -> bool {
        let ids: Vec<ProcessId> = self.endpoints.keys().copied().collect();
        let quick = ids.into_iter().filter(|id| !self.slow.contains(id));
        quick
            .collect::<Vec<_>>()
            .into_iter()
            .fold(false, |any, id| self.take(id) | any)
    }

    /// What a process has taken, in words: messages as "b:text", "o:text", "g:text"; group views as
    /// "name#number[0 1]"; outcomes by name.
    pub fn log(&self, process: ProcessId) -> Vec<String> {
        let events = self.taken.get(&process).into_iter().flatten();
        events.filter_map(in_words).collect()
    }

    /// The messages of the log.
    pub fn messages(&self, process: ProcessId) -> Vec<String> {
        let mut log = self.log(process);
        log.retain(|w| w.contains(':'));
        log
    }

    /// The last group view of the log.
    pub fn last_view(&self, process: ProcessId) -> String {
        let mut log = self.log(process).into_iter();
        log.rfind(|w| w.contains('#')).unwrap()
    }

    /// Whether the process has taken it.
    pub fn has(&self, process: ProcessId, word: &str) -> bool {
        self.log(process).iter().any(|w| w == word)
    }

    /// Asserts that the process has taken both, in this order.
    pub fn assert_order(&self, process: ProcessId, words: &[&str]) {
        let log = self.log(process);
        let place = |w: &&str| {
            let found = log.iter().position(|l| l == w);
            found.unwrap_or_else(|| panic!("{process} has no {w}: {log:?}"))
        };
        let places: Vec<usize> = words.iter().map(place).collect();
        assert!(places.is_sorted(), "{process}, not {words:?}: {log:?}");
    }
}

fn payload(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn in_words(event: &Event) -> Option<String> {
    match event {
        Event::Message(m) => {
            let kind = match m.label {
                Label::Bcast(_) => 'b',
                Label::Obcast(_) => 'o',
                Label::Gbcast => 'g',
            };
            Some(format!("{kind}:{}", String::from_utf8_lossy(&m.payload)))
        }
        Event::View(v) => {
            let members: Vec<String> = v.members.iter().map(short).collect();
            Some(format!("{}#{}[{}]", v.name, v.number, members.join(" ")))
        }
        Event::Completed { result: Err(e), .. } => Some(format!("{e:?}")),
        Event::Completed { result: Ok(o), .. } => Some(
            match o {
                Outcome::Joined(_) => "Joined",
                Outcome::Watching(_) => "Watching",
                Outcome::Left(_) => "Left",
                Outcome::Flushed => "Flushed",
                Outcome::Closed => "Ended",
                Outcome::Status(_) => "Answered",
            }
            .into(),
        ),
        Event::Excluded(_) => Some("Excluded".into()),
        Event::Blocked => Some("Blocked".into()),
        Event::Unblocked => Some("Unblocked".into()),
        Event::Writable => Some("Writable".into()),
        Event::Undeliverable(id) => Some(format!("undeliverable {}", id.seq)),
        Event::SiteView(_) | Event::Closed => None,
    }
}

/// A process by its site's number, and its own if that is not 1.
fn short(process: &ProcessId) -> String {
    match process.index {
        1 => process.site.id.to_string(),
        index => format!("{}/{index}", process.site.id),
    }
}
