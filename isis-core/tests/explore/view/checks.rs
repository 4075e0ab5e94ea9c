//! What must hold of every view that is installed, or known to a store as committed (PROPERTIES §1), and
//! how a violation is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use isis_core::ids::{Site, ViewNumber};
use isis_core::view::SiteView;

use super::model::{Action, Checked, Explorer, State, Stores};
use crate::engine::digest;

impl Explorer {
    /// M1, M2, M5 of a view that a site installs; then what must hold of its sequence.
    pub fn check(
        &self,
        after: &mut State,
        site: Site,
        own: Option<&SiteView>,
        view: &SiteView,
    ) -> Checked<()> {
        let expect = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(format!("{what}: {site} installs {view}")),
        };
        expect(view.contains(site), "M1 self inclusion")?;
        expect(
            own.is_none_or(|v| v.number.0 + 1 == view.number.0),
            "M2, M5 no gaps",
        )?;
        expect(
            own.is_some() || view.joined.contains(&site),
            "M5 from the join",
        )?;
        self.check_sequence(after, site, view)
    }

    /// M4, M5, M6, M8, and R2's single running epoch.
    pub fn check_sequence(&self, after: &mut State, site: Site, view: &SiteView) -> Checked<()> {
        let expect = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(format!("{what}: {site} has {view}")),
        };
        let key = (view.epoch, view.number);
        if let Some(known) = after.history.get(&key) {
            return expect(known == view, "M4 two views of one number");
        }
        if self.stores == Stores::With {
            let mut epochs = after.history.keys().map(|(epoch, _)| *epoch);
            expect(epochs.all(|e| e == view.epoch), "R3, R9 a second epoch")?;
        }
        let epochs = after.machines.iter().filter_map(|m| m.views.current());
        let one_epoch = epochs.map(|v| v.epoch).all(|epoch| epoch == view.epoch);
        expect(one_epoch, "R2 two running epochs")?;
        if view.number.0 > 0 {
            let previous = (view.epoch, ViewNumber(view.number.0 - 1));
            let Some(previous) = after.history.get(&previous) else {
                return expect(false, "M5 no gaps in the sequence");
            };
            let kept: Vec<Site> = previous.sites().filter(|s| view.contains(*s)).collect();
            let aged: Vec<Site> = kept.iter().chain(&view.joined).copied().collect();
            expect(aged == view.sites().collect::<Vec<_>>(), "M8 age order")?;
            expect(self.had_quorum(after, previous, view, site), "M6 quorum")?;
        }
        Arc::make_mut(&mut after.history).insert(key, view.clone());
        after.past ^= digest(view);
        Ok(())
    }

    /// Whether a quorum of `previous` has accepted `view`, which `first` is the first to install.
    fn had_quorum(&self, state: &State, previous: &SiteView, view: &SiteView, first: Site) -> bool {
        let proposed = [format!("propose {view} at"), format!("accept {view} at")];
        let sent = self.sent(state);
        let votes = sent.filter(|sent| proposed.iter().any(|p| sent.words.starts_with(p)));
        let seat = |site: Site| previous.sites().find(|s| s.id == site.id && *s <= site);
        let voters = votes.map(|sent| sent.from).chain([first]);
        let voters: BTreeSet<Site> = voters.filter_map(seat).collect();
        let (have, all) = (2 * voters.len(), previous.members.len());
        have > all || (have == all && voters.contains(&previous.manager()))
    }

    /// The way to a violation.
    pub fn explain(&self, state: &State, violation: String) -> String {
        let mut lines = vec![violation];
        let mut path = &state.path;
        while let Some(step) = path {
            lines.push(self.tell(step.at, &step.action));
            path = &step.before;
        }
        lines.reverse();
        lines.join("\n")
    }

    fn tell(&self, at: Site, action: &Action) -> String {
        match action {
            Action::Arrive(letter) => format!("{} -> {at}: {}", letter.from, letter.words),
            Action::Wake => format!("{at} begins"),
            Action::BackOffEnds => format!("{at} has backed off for long enough"),
            Action::Leave => format!("{at} wishes to leave"),
            Action::Suspect(site) => format!("{at} suspects {site}"),
            Action::Hear(site) => format!("{at} hears {site}"),
            Action::Restart => format!("{at} restarts"),
        }
    }
}
