//! What is to be drawn: columns of events, and messages between them.

use std::collections::BTreeMap;

use isis_core::audit::trace::{Trace, What};
use isis_core::delivery::{GroupView, Label, LeaveReason, Olabel};
use isis_core::ids::{Class, GroupId, MessageId, ProcessId, Site};
use isis_core::view::{LeftReason, SiteView};

/// A picture without places.
#[derive(Default)]
pub struct Picture {
    /// By column.
    pub processes: Vec<ProcessId>,
    /// The names of groups, by stripe.
    pub groups: Vec<String>,
    /// In the order of the trace.
    pub events: Vec<Event>,
    /// From the event of the send to those of the deliveries.
    pub messages: Vec<Message>,
}

/// Something at a column.
pub struct Event {
    /// Whose.
    pub column: usize,
    /// What.
    pub kind: Kind,
    /// For the reader, beside its mark.
    pub text: String,
}

/// How an event is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A broadcast is sent or taken.
    Message(Class),
    /// A group view begins: the stripe of its group, and whether it tells of a failure.
    View { key: (usize, u64), failure: bool },
    /// It is not a member of the group any more.
    Left { key: (usize, u64) },
    /// A site view begins.
    SiteView { number: u64, failure: bool },
    /// Something that the application asks for or is told.
    Note,
    /// The process is there no more: its site was killed.
    Crash,
    /// The process has ended in good order.
    End,
}

/// A broadcast, by the events in which it appears.
pub struct Message {
    /// Of the send, if it is in the picture.
    pub sent: Option<usize>,
    /// Of the deliveries.
    pub taken: Vec<usize>,
    /// The primitive.
    pub class: Class,
}

impl Picture {
    /// Of this trace.
    pub fn of(trace: &Trace) -> Picture {
        let mut sketch = Sketch::default();
        for record in &trace.records {
            sketch.columns_of(&record.what);
        }
        for record in &trace.records {
            sketch.take(&record.what);
        }
        sketch.picture
    }

    /// The letter of a column.
    pub fn letter(&self, p: ProcessId) -> String {
        match self.processes.iter().position(|q| *q == p) {
            Some(column) => letter(column),
            None => p.to_string(),
        }
    }
}

/// A, B, ..., Z, A1, B1, ...
pub fn letter(column: usize) -> String {
    let letter = char::from(b'A' + (column % 26) as u8);
    match column / 26 {
        0 => letter.to_string(),
        more => format!("{letter}{more}"),
    }
}

#[derive(Default)]
struct Sketch {
    picture: Picture,
    stripes: BTreeMap<GroupId, usize>,
    messages: BTreeMap<MessageId, usize>,
    ended: Vec<bool>,
}

impl Sketch {
    /// Processes that send or take something have a column, in the order of their names.
    fn columns_of(&mut self, what: &What) {
        let Some(p) = what.process() else { return };
        let processes = &mut self.picture.processes;
        if let Err(place) = processes.binary_search(&p) {
            processes.insert(place, p);
            self.ended.push(false);
        }
    }

    fn take(&mut self, what: &What) {
        let note = |text: &str| (Kind::Note, text.to_owned());
        let (kind, text) = match what {
            What::Crash(site) => return self.crash(*site),
            What::Send(m) => {
                let label = match &m.label {
                    Label::Bcast(label) | Label::Obcast(Olabel::Stream(label)) => label,
                    Label::Obcast(Olabel::Unordered) => "unordered",
                    Label::Obcast(Olabel::Causal) | Label::Gbcast => "",
                };
                let text = format!("{} {label}", self.name(m.id));
                (Kind::Message(m.id.class), text.trim_end().to_owned())
            }
            What::Deliver(_, m) => (Kind::Message(m.id.class), self.name(m.id)),
            What::View(p, view) => self.view(*p, view),
            What::SiteView(_, view) => site_view(view),
            What::AskJoin(_, name) => note(&format!("join {name}")),
            What::AskLookup(_, name) => note(&format!("look up {name}")),
            What::AskLeave(_, _) => note("leave"),
            What::Undeliverable(id) => note(&format!("{} undeliverable", self.name(*id))),
            What::Close(_) => note("close"),
            What::Ended(_) => (Kind::End, "ended".to_owned()),
            What::FlushBegin(_, _) => note("flush"),
            What::FlushEnd(_, _) => note("flushed"),
            What::Blocked(_) => note("blocked"),
            What::Unblocked(_) => note("goes on"),
            _ => return,
        };
        if let Some(p) = what.process() {
            let event = self.add(p, kind, text);
            self.connect(what, event);
        }
    }

    fn add(&mut self, p: ProcessId, kind: Kind, text: String) -> usize {
        let column = self.picture.processes.binary_search(&p);
        let column = column.expect("every process of the trace has a column");
        self.ended[column] |= matches!(kind, Kind::End | Kind::Crash);
        self.picture.events.push(Event { column, kind, text });
        self.picture.events.len() - 1
    }

    fn connect(&mut self, what: &What, event: usize) {
        let (id, sent) = match what {
            What::Send(m) => (m.id, true),
            What::Deliver(_, m) => (m.id, false),
            _ => return,
        };
        let messages = &mut self.picture.messages;
        let place = *self.messages.entry(id).or_insert(messages.len());
        if place == messages.len() {
            messages.push(Message {
                sent: None,
                taken: Vec::new(),
                class: id.class,
            });
        }
        match sent {
            true => messages[place].sent = Some(event),
            false => messages[place].taken.push(event),
        }
    }

    /// `A.b3`: the third BCAST of A.
    fn name(&self, id: MessageId) -> String {
        let class = match id.class {
            Class::Bcast => 'b',
            Class::Obcast => 'o',
            Class::Gbcast => 'g',
        };
        format!("{}.{class}{}", self.picture.letter(id.sender), id.seq)
    }

    fn view(&mut self, p: ProcessId, view: &GroupView) -> (Kind, String) {
        let groups = &mut self.picture.groups;
        let stripe = *self.stripes.entry(view.group).or_insert_with(|| {
            groups.push(view.name.clone());
            groups.len() - 1
        });
        let members: Vec<String> = view
            .members
            .iter()
            .map(|q| self.picture.letter(*q))
            .collect();
        let mut text = format!("{} {}: {}", view.name, view.number, members.join(" "));
        let mut failure = false;
        for (q, why) in &view.left {
            let failed = *why == LeaveReason::SiteFailed;
            failure |= failed;
            let how = if failed { "failed" } else { "left" };
            text += &format!(", {} {how}", self.picture.letter(*q));
        }
        let key = (stripe, view.number);
        match view.members.contains(&p) {
            true => (Kind::View { key, failure }, text),
            false => (Kind::Left { key }, text),
        }
    }

    fn crash(&mut self, site: Site) {
        for column in 0..self.picture.processes.len() {
            let p = self.picture.processes[column];
            if p.site == site && !self.ended[column] {
                self.add(p, Kind::Crash, "killed".to_owned());
            }
        }
    }
}

fn site_view(view: &SiteView) -> (Kind, String) {
    let sites: Vec<String> = view.sites().map(|site| site.id.to_string()).collect();
    let failure = view.left.iter().any(|(_, why)| *why == LeftReason::Failed);
    let number = view.number.0;
    let text = format!("site view {number}: {}", sites.join(" "));
    (Kind::SiteView { number, failure }, text)
}
