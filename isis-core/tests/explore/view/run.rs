//! What a view machine does with one input.

use std::collections::VecDeque;

use isis_core::ids::Site;
use isis_core::machine::view::{Effect, Input, Note};
use isis_core::machine::{Evidence, LinkReport, TransportToView, ViewToTransport};
use isis_core::view::{SiteView, Views, describe};

use super::machine::Machine;
use super::model::{Action, Explorer, Happening, LATER, NOW, Status};
use super::post::Letter;
use crate::engine::digest;

/// What a machine did with an input.
pub struct Outcome {
    pub machine: &'static Machine,
    pub sent: Vec<&'static Letter>,
    /// What its store knows to be committed.
    pub committed: Vec<SiteView>,
    pub installed: Vec<SiteView>,
    pub happened: Vec<Happening>,
}

impl Explorer {
    pub fn run(&self, machine: &'static Machine, action: &Action) -> Outcome {
        let mut views = machine.views.clone();
        let mut effects = Vec::new();
        let (now, input) = match action {
            Action::Wake => (LATER, Input::Timeout),
            Action::Arrive(letter) => {
                let (from, message) = (letter.from, letter.message.clone().into());
                (
                    NOW,
                    Input::Transport(TransportToView::Message { from, message }),
                )
            }
            Action::BackOffEnds => (LATER, Input::Timeout),
            Action::Restart => unreachable!("no input"),
            Action::Leave => (NOW, Input::Leave),
            Action::Suspect(site) => {
                let (site, evidence) = (*site, Evidence::Refused);
                (NOW, report(LinkReport::Lost { site, evidence }))
            }
            Action::Hear(site) => {
                let (site, address, epoch) = (*site, String::new(), None);
                (
                    NOW,
                    report(LinkReport::Up {
                        site,
                        address,
                        epoch,
                    }),
                )
            }
        };
        views.handle(now, input, &mut effects);
        self.outcome(machine, views, effects)
    }

    fn outcome(
        &self,
        machine: &'static Machine,
        mut views: Views,
        effects: Vec<Effect>,
    ) -> Outcome {
        let mut outcome = Outcome {
            machine,
            sent: Vec::new(),
            committed: Vec::new(),
            installed: Vec::new(),
            happened: Vec::new(),
        };
        let mut work = VecDeque::from(effects);
        let mut disk = machine.disk.clone();
        let mut leads = false;
        while let Some(effect) = work.pop_front() {
            let happening = match effect {
                Effect::ToTransport(ViewToTransport::Send { to, message }) => {
                    let words = describe(&message);
                    leads |= words.starts_with("commit");
                    let happening = match &words {
                        w if w.starts_with("refuse") => Some(Happening::Refused),
                        w if w.contains("accepted v") => Some(Happening::AcceptedReported),
                        _ => None,
                    };
                    if !self.is_dropped(&words) {
                        let letter = self.letter(machine.site, to, message.to_vec(), words);
                        outcome.sent.push(letter);
                    }
                    happening
                }
                Effect::ToTransport(ViewToTransport::Withhold { token, .. }) => {
                    let mut more = Vec::new();
                    let withheld = Input::Transport(TransportToView::Withheld { token });
                    views.handle(NOW, withheld, &mut more);
                    work.extend(more);
                    None
                }
                Effect::Persist { token, memory } => {
                    outcome.committed.extend(memory.view().cloned());
                    disk = Some(*memory);
                    let mut more = Vec::new();
                    views.handle(NOW, Input::Stored { token }, &mut more);
                    work.extend(more);
                    None
                }
                Effect::Install(view) => {
                    let joined = view.joined.contains(&machine.site) && view.number.0 > 0;
                    outcome.installed.push(view);
                    Some([Happening::Installed, Happening::Joined][usize::from(joined)])
                }
                Effect::Note(Note::TakeOver { .. }) => Some(Happening::TakeOver),
                Effect::Note(Note::Reviving { .. }) => Some(Happening::Revived),
                Effect::Excluded { asked: true, .. } => Some(Happening::Left),
                Effect::Excluded { asked: false, .. } if leads => Some(Happening::ExcludedItself),
                Effect::Excluded { .. } => Some(Happening::Excluded),
                _ => None,
            };
            outcome.happened.extend(happening);
        }
        outcome.machine = self.machine(machine.site, views, disk);
        outcome
    }

    /// What is beside the point: suspicions that the budget has anyway, and what is after the last view.
    fn is_dropped(&self, words: &str) -> bool {
        let mut parts = words.split(' ');
        let (kind, subject) = (parts.next(), parts.next().unwrap_or_default());
        let number = subject.trim_start_matches('v').split('[').next();
        let number = number.and_then(|n| n.parse::<u64>().ok());
        match kind {
            Some("status") => self.status == Status::Dropped,
            Some("interrogate" | "propose") => number.expect("it names a view") > self.last,
            Some("commit") => number.expect("it names a view") >= self.last,
            _ => false,
        }
    }

    fn letter(&self, from: Site, to: Site, message: Vec<u8>, words: String) -> &'static Letter {
        let digest = digest(&(from, to, &message));
        self.letters.get_or(digest, || {
            self.post.add(|number| Letter {
                digest,
                number,
                from,
                to,
                message,
                words,
            })
        })
    }
}

fn report(report: LinkReport) -> Input {
    Input::Transport(TransportToView::Report(report))
}
