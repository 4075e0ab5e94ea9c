//! Traces made by hand, for testing the checker: three processes on three sites, one group.

use std::sync::Arc;

use crate::delivery::{GroupView, Label, LeaveReason, Olabel};
use crate::ids::{
    Class, Epoch, GroupId, Incarnation, MessageId, ProcessId, Site, SiteId, ViewNumber,
};
use crate::machine::broadcast::Address;
use crate::view::{LeftReason, Member, SiteView};

use crate::audit::history::History;
use crate::audit::trace::{Delivered, Sent, Trace, What};

pub struct Sketch {
    pub trace: Trace,
    seqs: [[u64; 3]; 8],
    stamps: [u64; 8],
}

/// Process 1 of site `i`.
pub fn p(i: usize) -> ProcessId {
    ProcessId {
        site: site(i),
        index: 1,
    }
}

pub fn site(i: usize) -> Site {
    Site {
        id: SiteId(i as u32),
        incarnation: Incarnation(1),
    }
}

pub fn group() -> GroupId {
    GroupId {
        founder: p(0),
        seq: 1,
    }
}

pub fn site_view(number: u64, members: &[usize], left: &[(usize, LeftReason)]) -> SiteView {
    let member = |i: &usize| Member {
        site: site(*i),
        address: String::new(),
    };
    SiteView {
        epoch: Epoch(7),
        number: ViewNumber(number),
        members: members.iter().map(member).collect(),
        joined: Vec::new(),
        left: left.iter().map(|(i, why)| (site(*i), *why)).collect(),
        founding: vec![SiteId(0), SiteId(1), SiteId(2)],
        highest: Default::default(),
    }
}

pub fn group_view(number: u64, members: &[usize], left: &[(usize, LeaveReason)]) -> GroupView {
    GroupView {
        group: group(),
        name: "g".into(),
        number,
        members: members.iter().map(|i| p(*i)).collect(),
        joined: Vec::new(),
        left: left.iter().map(|(i, why)| (p(*i), *why)).collect(),
    }
}

impl Sketch {
    /// Three sites in site view 0, one process each, all in view 1 of the group.
    pub fn new() -> Sketch {
        let mut sketch = Sketch {
            trace: Trace {
                live: true,
                ..Trace::default()
            },
            seqs: [[0; 3]; 8],
            stamps: [1; 8],
        };
        for i in 0..3 {
            sketch.add(What::Start(site(i)));
            sketch.add(What::Install(site(i), site_view(0, &[0, 1, 2], &[])));
            sketch.add(What::Open(p(i)));
            sketch.add(What::SiteView(
                p(i),
                Arc::new(site_view(0, &[0, 1, 2], &[])),
            ));
            let mut view = group_view(1, &[0, 1, 2], &[]);
            view.joined = vec![p(0), p(1), p(2)];
            sketch.add(What::View(p(i), Arc::new(view)));
        }
        sketch
    }

    pub fn add(&mut self, what: What) {
        let at = self.trace.records.len() as u64;
        self.trace.add(at, what);
    }

    /// These processes take this view of the group.
    pub fn view(&mut self, at: &[usize], view: GroupView) {
        for i in at {
            self.stamps[*i] = view.number;
            self.add(What::View(p(*i), Arc::new(view.clone())));
        }
    }

    /// These processes watch the group and take this view of it.
    pub fn watch(&mut self, at: &[usize], view: GroupView) {
        for i in at {
            self.add(What::AskLookup(p(*i), view.name.clone()));
            self.add(What::View(p(*i), Arc::new(view.clone())));
        }
    }

    /// These sites' processes take this site view.
    pub fn site_view(&mut self, at: &[usize], view: SiteView) {
        for i in at {
            self.add(What::Install(site(*i), view.clone()));
            self.add(What::SiteView(p(*i), Arc::new(view.clone())));
        }
    }

    pub fn bcast(&mut self, from: usize, label: &str) -> MessageId {
        self.send(from, Label::Bcast(label.into()), Address::Group(group()))
    }

    pub fn safe_bcast(&mut self, from: usize, label: &str) -> MessageId {
        let id = self.bcast(from, label);
        let last = self.trace.records.last_mut().expect("just added");
        if let What::Send(sent) = &mut last.what {
            sent.safe = true;
        }
        id
    }

    pub fn bcast_to(&mut self, from: usize, label: &str, to: &[usize]) -> MessageId {
        let list = to.iter().map(|i| p(*i)).collect();
        self.send(from, Label::Bcast(label.into()), Address::List(list))
    }

    pub fn obcast(&mut self, from: usize, stream: &str) -> MessageId {
        let label = Label::Obcast(Olabel::Stream(stream.into()));
        self.send(from, label, Address::Group(group()))
    }

    pub fn gbcast(&mut self, from: usize) -> MessageId {
        self.send(from, Label::Gbcast, Address::Group(group()))
    }

    fn send(&mut self, from: usize, label: Label, to: Address) -> MessageId {
        let class = match label {
            Label::Bcast(_) => Class::Bcast,
            Label::Obcast(_) => Class::Obcast,
            Label::Gbcast => Class::Gbcast,
        };
        self.seqs[from][class as usize] += 1;
        let seq = self.seqs[from][class as usize];
        let id = MessageId {
            sender: p(from),
            class,
            seq,
        };
        self.add(What::Send(Sent {
            id,
            to,
            label,
            after: Vec::new(),
            safe: false,
            length: 0,
            digest: seq,
        }));
        id
    }

    /// These processes take a broadcast, each in its present view.
    pub fn take(&mut self, at: &[usize], id: MessageId) {
        let sent = self.sent(id);
        for i in at {
            let group = match sent.to {
                Address::Group(g) => Some((g, self.stamps[*i])),
                Address::List(_) => None,
            };
            let m = Delivered {
                id,
                group,
                label: sent.label.clone(),
                length: sent.length,
                digest: sent.digest,
            };
            self.add(What::Deliver(p(*i), m));
        }
    }

    pub fn sent(&self, id: MessageId) -> Sent {
        let find = |what: &What| match what {
            What::Send(m) if m.id == id => Some(m.clone()),
            _ => None,
        };
        let found = self.trace.records.iter().find_map(|r| find(&r.what));
        found.expect("a sketch takes what it sent")
    }

    pub fn crash(&mut self, i: usize) {
        self.add(What::Crash(site(i)));
    }

    /// Holds the trace against one property.
    pub fn passes(&self, check: super::Check) -> bool {
        check(&History::new(&self.trace)).is_ok()
    }
}

#[test]
fn a_good_trace_passes() {
    let mut s = Sketch::new();
    let a = s.bcast(0, "q");
    let b = s.obcast(1, "x");
    s.take(&[1, 0], b);
    let c = s.obcast(0, "x");
    s.take(&[0, 2, 1], a);
    s.take(&[2], b);
    s.take(&[0, 1, 2], c);
    let g = s.gbcast(2);
    s.take(&[0, 1, 2], g);
    s.add(What::FlushBegin(p(0), 1));
    s.add(What::FlushEnd(p(0), 1));
    s.crash(2);
    s.site_view(&[0, 1], site_view(1, &[0, 1], &[(2, LeftReason::Failed)]));
    s.view(
        &[0, 1],
        group_view(2, &[0, 1], &[(2, LeaveReason::SiteFailed)]),
    );
    let d = s.bcast_to(0, "q", &[1]);
    s.take(&[1], d);
    let verdict = super::first_violation(&History::new(&s.trace), &super::ALL);
    assert_eq!(verdict, Ok(()));
}
