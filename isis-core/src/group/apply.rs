//! What a decision does at a site.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Machine;
use super::completion::Counts;
use crate::broadcast::{Decision, Era, Record, Roster};
use crate::delivery::Event;
use crate::ids::{MessageId, Site};
use crate::machine::broadcast::Note;
use crate::view::SiteView;

/// A place in the decided order.
enum Item {
    Bcast(MessageId),
    Gbcast(Arc<Record>),
}

impl Machine {
    /// Applies the stored decisions of views up to this one.
    pub(super) fn apply_decisions(&mut self, upto: u64) {
        for decision in core::mem::take(&mut self.cut.decisions) {
            let news = self.applied_view().is_none_or(|a| decision.view > a);
            if !news {
                continue;
            }
            if decision.view > upto {
                self.cut.decisions.push(decision);
            } else if let Some(view) = self.cut.installed.get(&decision.view).cloned() {
                self.apply(&decision, view);
            }
        }
    }

    fn apply(&mut self, decision: &Decision, view: SiteView) {
        let number = view.number.0;
        let me = self.broadcast.me();
        self.broadcast.clock = self.broadcast.clock.max(decision.clock + 1);
        let failed: Vec<Site> = match &self.broadcast.era {
            Some(era) => era
                .sites
                .iter()
                .copied()
                .filter(|s| !view.contains(*s))
                .collect(),
            None => Vec::new(),
        };
        if self.broadcast.era.is_some() {
            self.count(decision, &failed);
            self.place_everything(decision);
            // Directory changes that were just placed come before anybody fails.
            self.act_on_upcalls();
            self.fail_members(&failed);
        }
        let sites: Vec<Site> = view.sites().collect();
        let rank = sites
            .iter()
            .position(|s| *s == me)
            .expect("views that are installed contain this site");
        self.broadcast.begin_era(Era {
            number,
            sites,
            me: rank,
        });
        self.requests.ask_again();
        // A view that the next one overtook has no era of its own, but is a view of the sequence.
        let views = core::mem::take(&mut self.cut.installed);
        for (n, view) in views {
            let news = self.site_view.as_ref().is_none_or(|last| last.number.0 < n);
            if n <= number && news {
                let view = Arc::new(view.clone());
                self.site_view = Some(view.clone());
                self.deliver_to_all(&Event::SiteView(view));
            }
            if n >= number {
                self.cut.installed.insert(n, view);
            }
        }
    }

    fn count(&mut self, decision: &Decision, failed: &[Site]) {
        let orphan = |(id, _): &&(MessageId, u64)| failed.contains(&id.sender.site);
        self.cut.counts.orphans += decision.finals.iter().filter(orphan).count();
        self.cut.counts.carried_records += decision.records.len();
    }

    /// Places all that is pending: BCASTs and decided GBCASTs by number; OBCASTs that no GBCAST names
    /// before the first BCAST that had no final, since that may list them (R16).
    fn place_everything(&mut self, decision: &Decision) {
        let mut order: Vec<(u64, MessageId, Item)> = Vec::new();
        for record in &decision.records {
            self.broadcast.adopt_view(&record.roster.view);
            self.directory.update(record.roster.clone());
            order.push((
                record.number,
                record.run,
                Item::Gbcast(Arc::new(record.clone())),
            ));
        }
        for (number, id) in self.broadcast.decide_finals(&decision.finals) {
            order.push((number, id, Item::Bcast(id)));
        }
        order.sort_by_key(|(number, id, _)| (*number, *id));
        let local: Vec<u32> = self.broadcast.processes.keys().copied().collect();
        let mut obcasts_placed = false;
        for (number, _, item) in order {
            if number > decision.clock && !obcasts_placed {
                obcasts_placed = true;
                local
                    .iter()
                    .for_each(|q| self.broadcast.place_all_obcasts(*q));
            }
            match item {
                Item::Bcast(id) => self.broadcast.place_decided_bcast(id),
                Item::Gbcast(record) => local
                    .iter()
                    .for_each(|q| self.broadcast.place_decided(&record, *q)),
            }
        }
        local
            .iter()
            .for_each(|q| self.broadcast.place_all_obcasts(*q));
    }

    /// The failed sites' processes leave all their groups in one view each; groups without members go.
    fn fail_members(&mut self, failed: &[Site]) {
        let groups = self.directory.groups();
        let affected: Vec<(u64, Roster)> = groups
            .filter_map(|g| Some((g.view.number, g.without_sites(failed)?)))
            .collect();
        for (number, roster) in affected {
            self.directory.update(roster.clone());
            if roster.view.number > number {
                self.take_view_everywhere(&roster);
            }
        }
        self.directory.end_era(failed);
        let empty: Vec<_> = self
            .directory
            .groups()
            .filter(|g| g.view.members.is_empty())
            .map(|g| g.view.group)
            .collect();
        for group in empty {
            self.dissolve(group);
        }
    }

    /// A new view is placed at all processes here that are in the group or watch it.
    fn take_view_everywhere(&mut self, roster: &Roster) {
        self.broadcast.adopt_view(&roster.view);
        let processes = self.broadcast.processes.iter();
        let here: Vec<u32> = processes
            .filter(|(_, p)| p.groups.contains_key(&roster.view.group))
            .map(|(index, _)| *index)
            .collect();
        for process in here {
            self.broadcast.take_view(process, roster);
        }
    }

    /// The current view is applied: the site sends and places again.
    pub(super) fn resume(&mut self) {
        self.broadcast.frozen = false;
        let Counts {
            pushed,
            aborted_runs,
            orphaned_runs,
            orphans,
            carried_records,
        } = core::mem::take(&mut self.cut.counts);
        let view = self.applied_view().unwrap_or_default();
        self.broadcast.note(Note::CompletionEnded {
            view,
            orphans,
            pushed,
            aborted_runs,
            orphaned_runs,
            carried_records,
        });
        let indices: Vec<u32> = self.broadcast.processes.keys().copied().collect();
        for process in indices {
            self.broadcast.release_held(process);
            self.broadcast.check_flushes(process);
        }
    }
}
