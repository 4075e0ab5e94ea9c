//! What local processes have asked for and not got yet.
//!
//! A request is advanced whenever something has happened, until its effect shows in what is placed
//! at the process: a join by a view with it, a leave by one without it, a GBCAST by its delivery, a
//! look-up by the group's view. So
//! it does not matter whether a coordinator got it once, twice or never before it died: after the end
//! of an era what is still open is asked again (R13, R23), and a coordinator ignores a change that
//! changes nothing.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Machine;
use crate::broadcast::Action;
use crate::delivery::{Event, LeaveReason, Outcome};
use crate::error::Error;
use crate::ids::{GroupId, MessageId, Site};

/// See the module's head.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Requests {
    open: BTreeMap<u64, Request>,
    next: u64,
    /// By peer: requests that it sent here by a group view that is not known here.
    early: BTreeMap<Site, Vec<PeerRequest>>,
    /// Directory changes sent.
    pub changes: u64,
}

/// As many requests of a peer may wait for group views. Each process has no more than its window lets it,
/// but a peer may name groups that never were.
const MOST_EARLY: usize = 1 << 16;

/// A request that a peer sends here, or passes on.
#[derive(Clone, Debug, Hash)]
pub(super) struct PeerRequest {
    pub from: Site,
    pub group: GroupId,
    /// The group view by which it was sent here.
    pub number: u64,
    pub action: Action,
    pub payload: Bytes,
}

#[derive(Clone, Debug, Hash)]
struct Request {
    process: u32,
    what: What,
    /// A message to a coordinator or the directory is under way in this era.
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asked {
    /// In an era that has ended, or of a group that is gone: a membership may yet come of it.
    Before,
    Directory,
    /// The directory here is as late as the request.
    Looked,
    Coordinator(GroupId),
    /// The coordinator's site says that the group has no members, in a view after this one or in none;
    /// this site will hear of that too.
    Gone(GroupId, u64),
}

#[derive(Clone, Debug, Hash)]
enum What {
    Join {
        name: String,
        token: u64,
    },
    /// Watches the group of this name from outside.
    Lookup {
        name: String,
        token: u64,
    },
    /// Of a member or a watcher. After what it sent before is safe.
    Leave {
        group: GroupId,
        token: u64,
        upto: [u64; 3],
    },
    Gbcast {
        id: MessageId,
        group: GroupId,
        after: Vec<MessageId>,
        payload: Bytes,
    },
    /// The process ends; its groups see it fail (R31).
    Close {
        token: u64,
        upto: [u64; 3],
    },
}

impl Requests {
    fn add(&mut self, process: u32, what: What) {
        self.next += 1;
        self.open.insert(
            self.next,
            Request {
                process,
                what,
                asked: None,
            },
        );
    }

    pub fn join(&mut self, process: u32, name: String, token: u64) {
        self.add(process, What::Join { name, token });
    }

    pub fn lookup(&mut self, process: u32, name: String, token: u64) {
        self.add(process, What::Lookup { name, token });
    }

    pub fn leave(&mut self, process: u32, group: GroupId, token: u64, upto: [u64; 3]) {
        self.add(process, What::Leave { group, token, upto });
    }

    pub fn gbcast(
        &mut self,
        process: u32,
        id: MessageId,
        group: GroupId,
        after: Vec<MessageId>,
        payload: Bytes,
    ) {
        self.add(
            process,
            What::Gbcast {
                id,
                group,
                after,
                payload,
            },
        );
    }

    pub fn close(&mut self, process: u32, token: u64, upto: [u64; 3]) {
        self.add(process, What::Close { token, upto });
    }

    /// Keeps a request for later; says whether there is room.
    pub fn keep_early(&mut self, request: PeerRequest) -> bool {
        let early = self.early.entry(request.from).or_default();
        let room = early.len() < MOST_EARLY;
        if room {
            early.push(request);
        }
        room
    }

    /// Takes out what waits for a later view of the group.
    pub fn take_early(&mut self, group: GroupId) -> Vec<PeerRequest> {
        let mut due = Vec::new();
        for early in self.early.values_mut() {
            due.extend(early.extract_if(.., |r| r.group == group));
        }
        due
    }

    /// Whether an earlier join, look-up or leave of the same process is open: they go one after the other, so
    /// that each one's effect shows and none is asked twice.
    fn is_behind(&self, key: u64) -> bool {
        let is_change = |r: &Request| {
            matches!(
                r.what,
                What::Join { .. } | What::Lookup { .. } | What::Leave { .. }
            )
        };
        self.open.get(&key).is_some_and(|this| {
            let mut earlier = self.open.range(..key).map(|(_, r)| r);
            is_change(this) && earlier.any(|r| r.process == this.process && is_change(r))
        })
    }

    /// The directory is as late as the look-ups of this process.
    pub fn looked(&mut self, process: u32) {
        for request in self.open.values_mut() {
            let looks = matches!(request.what, What::Lookup { .. });
            if request.process == process && looks && request.asked == Some(Asked::Directory) {
                request.asked = Some(Asked::Looked);
            }
        }
    }

    /// After the end of an era nothing is under way any more.
    pub fn ask_again(&mut self) {
        self.early.clear();
        for request in self.open.values_mut() {
            request.asked = request.asked.map(|_| Asked::Before);
        }
    }

    pub fn pending(&self) -> Vec<String> {
        let text = |r: &Request| match &r.what {
            What::Join { name, .. } => {
                format!("p{} joins {name:?}, asked {:?}", r.process, r.asked)
            }
            What::Lookup { name, .. } => {
                format!("p{} looks up {name:?}, asked {:?}", r.process, r.asked)
            }
            What::Leave { group, .. } => {
                format!("p{} leaves {group}, asked {:?}", r.process, r.asked)
            }
            What::Gbcast { id, .. } => format!("{id}, asked {:?}", r.asked),
            What::Close { .. } => format!("p{} ends, asked {:?}", r.process, r.asked),
        };
        self.open.values().map(text).collect()
    }
}

impl Machine {
    /// The process ends: nothing more is delivered to it.
    pub(super) fn close(&mut self, process: u32, token: u64) {
        self.broadcast.call_taken(process, u64::MAX);
        let p = self
            .broadcast
            .processes
            .get_mut(&process)
            .expect("checked by the caller");
        p.deaf = true;
        let upto = p.sent.accepted;
        self.requests.close(process, token, upto);
    }

    /// Goes on with every open request as far as it can go now; says whether one got anywhere.
    pub(super) fn advance_requests(&mut self) -> bool {
        if self.broadcast.frozen {
            return false;
        }
        let mut moved = false;
        let open: Vec<u64> = self.requests.open.keys().copied().collect();
        for key in open {
            // The request before may have changed the group that this one is about.
            self.act_on_upcalls();
            if self.requests.is_behind(key) {
                continue;
            }
            let Some(mut request) = self.requests.open.remove(&key) else {
                continue;
            };
            let asked = request.asked;
            let over = self.advance(&mut request);
            moved |= over || request.asked != asked;
            if !over {
                self.requests.open.insert(key, request);
            }
        }
        moved
    }

    /// Says whether the request is over.
    fn advance(&mut self, request: &mut Request) -> bool {
        let process = request.process;
        match &request.what {
            What::Join { name, token } => {
                let (name, token) = (name.clone(), *token);
                self.advance_join(process, &name, token, &mut request.asked)
            }
            What::Lookup { name, token } => {
                let (name, token) = (name.clone(), *token);
                self.advance_lookup(process, &name, token, &mut request.asked)
            }
            What::Leave { group, token, upto } => {
                let (group, token, upto) = (*group, *token, *upto);
                if !self.broadcast.processes[&process]
                    .groups
                    .contains_key(&group)
                {
                    self.complete(process, token, Ok(Outcome::Left(group)));
                    return true;
                }
                if self.broadcast.is_safe(process, upto) {
                    self.ask_removal(process, group, LeaveReason::Left, &mut request.asked);
                }
                false
            }
            What::Gbcast {
                id,
                group,
                after,
                payload,
            } => {
                if !self.broadcast.is_gbcast_open(*id) {
                    return true;
                }
                if !self.broadcast.processes[&process]
                    .groups
                    .contains_key(group)
                {
                    self.broadcast.abandon_gbcast(*id);
                    return true;
                }
                let asked = matches!(request.asked, Some(Asked::Coordinator(_)));
                if asked || !self.broadcast.are_settled(process, after) {
                    return false;
                }
                let action = Action::Application {
                    id: *id,
                    len: payload.len(),
                };
                request.asked = Some(Asked::Coordinator(*group));
                let (group, payload) = (*group, payload.clone());
                self.route(group, action, payload);
                false
            }
            What::Close { token, upto } => {
                let (token, upto) = (*token, *upto);
                self.advance_close(process, token, upto, &mut request.asked)
            }
        }
    }

    fn advance_join(
        &mut self,
        process: u32,
        name: &str,
        token: u64,
        asked: &mut Option<Asked>,
    ) -> bool {
        let id = self.broadcast.processes[&process].id;
        let Some(roster) = self.directory.find(name) else {
            if *asked != Some(Asked::Directory) {
                *asked = Some(Asked::Directory);
                self.create_group(name, id);
            }
            return false;
        };
        let (group, empty) = (roster.view.group, roster.view.members.is_empty());
        if self.broadcast.processes[&process].is_member(group) {
            let result = if asked.is_none() {
                Err(Error::Invalid(format!("already a member of {name:?}")))
            } else {
                Ok(Outcome::Joined(group))
            };
            self.complete(process, token, result);
            return true;
        }
        // A group without members is about to leave the directory; then it is created anew.
        if !empty && self.may_ask(*asked, group) {
            *asked = Some(Asked::Coordinator(group));
            self.route(group, Action::Join(id), Bytes::new());
        }
        false
    }

    /// Whether the group's coordinator is to be asked, or asked again.
    fn may_ask(&self, asked: Option<Asked>, group: GroupId) -> bool {
        match asked {
            Some(Asked::Coordinator(of)) => of != group,
            Some(Asked::Gone(of, number)) => {
                let now = self.directory.group(group);
                of != group || now.is_none_or(|g| g.view.number > number)
            }
            Some(Asked::Before | Asked::Directory | Asked::Looked) | None => true,
        }
    }

    fn advance_lookup(
        &mut self,
        process: u32,
        name: &str,
        token: u64,
        asked: &mut Option<Asked>,
    ) -> bool {
        let p = &self.broadcast.processes[&process];
        let found = self.directory.find(name);
        match found.filter(|g| !g.view.members.is_empty()) {
            Some(roster) => {
                let (id, group) = (p.id, roster.view.group);
                if p.groups.contains_key(&group) {
                    self.complete(process, token, Ok(Outcome::Watching(group)));
                    return true;
                }
                if self.may_ask(*asked, group) {
                    *asked = Some(Asked::Coordinator(group));
                    self.route(group, Action::Watch(id), Bytes::new());
                }
                false
            }
            None if *asked == Some(Asked::Looked) => {
                let error = Error::Name(format!("there is no group {name:?}"));
                self.complete(process, token, Err(error));
                true
            }
            None => {
                if *asked != Some(Asked::Directory) {
                    *asked = Some(Asked::Directory);
                    self.look(p.id);
                }
                false
            }
        }
    }

    /// Asks that the process be a member, or watch, no more.
    fn ask_removal(
        &mut self,
        process: u32,
        group: GroupId,
        reason: LeaveReason,
        asked: &mut Option<Asked>,
    ) {
        if self.may_ask(*asked, group) {
            *asked = Some(Asked::Coordinator(group));
            let p = &self.broadcast.processes[&process];
            let action = match p.is_member(group) {
                true => Action::Remove(p.id, reason),
                false => Action::Unwatch(p.id),
            };
            self.route(group, action, Bytes::new());
        }
    }

    /// R31: after its messages are received and final the process fails out of its groups, one after
    /// the other, and is gone.
    fn advance_close(
        &mut self,
        process: u32,
        token: u64,
        upto: [u64; 3],
        asked: &mut Option<Asked>,
    ) -> bool {
        let others = self.requests.open.values().any(|r| r.process == process);
        if others || !self.broadcast.is_safe(process, upto) {
            return false;
        }
        if let Some(group) = self.broadcast.processes[&process]
            .groups
            .keys()
            .next()
            .copied()
        {
            self.ask_removal(process, group, LeaveReason::ProcessFailed, asked);
            return false;
        }
        // The others must hear its last floors, or they keep its broadcasts for ever.
        if !self.broadcast.processes[&process].sent.is_finished() {
            return false;
        }
        self.complete(process, token, Ok(Outcome::Closed));
        self.broadcast.deliver(process, Event::Closed, Vec::new());
        self.broadcast.remove_process(process);
        true
    }

    /// A creation that a local process asked for is placed: it won, or another had the name. A join
    /// that is still open then goes on by what the directory says now.
    pub(super) fn creation_placed(&mut self, process: u32, name: &str) {
        for request in self.requests.open.values_mut() {
            let joins = matches!(&request.what, What::Join { name: n, .. } if n == name);
            if request.process == process && joins && request.asked == Some(Asked::Directory) {
                request.asked = Some(Asked::Before);
            }
        }
    }

    /// The group that a request went to has no members: once this is known here too, it is asked anew,
    /// of whoever has the name then. A GBCAST comes back, but no other one: that may have been taken.
    pub(super) fn gone(&mut self, group: GroupId, action: &Action) {
        if let Action::Application { id, .. } = action {
            return self.broadcast.abandon_gbcast(*id);
        }
        let process = action.process().index;
        let known = self.directory.group(group).map_or(0, |g| g.view.number);
        for request in self.requests.open.values_mut() {
            let is_this = !matches!(request.what, What::Gbcast { .. })
                && request.asked == Some(Asked::Coordinator(group));
            if request.process == process && is_this {
                request.asked = Some(Asked::Gone(group, known));
            }
        }
    }
}
