//! The way of a request for a GBCAST to the site that runs those of the group (R23).

use bytes::Bytes;

use super::Machine;
use super::requests::PeerRequest;
use crate::broadcast::{Action, BULK_ABOVE, Gbcast, Message, Roster};
use crate::ids::{GroupId, ProcessId};
use crate::machine::Lane;
use crate::machine::broadcast::Note;

impl Machine {
    /// Takes a request there.
    pub(super) fn route(&mut self, group: GroupId, action: Action, payload: Bytes) {
        let Some(roster) = self.directory.group(group).cloned() else {
            return self.answer_gone(group, action);
        };
        let Some(oldest) = roster.view.members.first() else {
            return self.answer_gone(group, action);
        };
        if oldest.site == self.broadcast.me() {
            self.broadcast.coordinate(&roster, action, payload);
        } else {
            self.send_to(
                *oldest,
                Gbcast::Request {
                    group,
                    number: roster.view.number,
                    action,
                    payload,
                },
            );
        }
    }

    /// A peer sends a request here by this view of the group. It is passed on only by a later view:
    /// by the same or an earlier one it could go round for ever.
    pub(super) fn asked(&mut self, request: PeerRequest) {
        let (later, runs_here) = match self.directory.group(request.group) {
            Some(Roster { view, .. }) => {
                let oldest = view.members.first().map(|p| p.site);
                let runs_here = oldest == Some(self.broadcast.me());
                (view.number > request.number, runs_here)
            }
            None => (self.is_over(request.group), false),
        };
        let from = request.from;
        if later || runs_here {
            self.route(request.group, request.action, request.payload);
        } else if !self.requests.keep_early(request) {
            self.broadcast.note(Note::Malformed { from });
        }
    }

    /// Whether a group that is not in the directory is no more. Those of a founder that has failed were
    /// placed at the end of its era.
    fn is_over(&self, group: GroupId) -> bool {
        let era = self.broadcast.era.as_ref();
        let lives = era.is_some_and(|e| e.rank(group.founder.site).is_some());
        !lives || self.directory.has_been(group)
    }

    /// A later view of the group is known, or that it is no more.
    pub(super) fn asked_early(&mut self, group: GroupId) {
        for request in self.requests.take_early(group) {
            self.asked(request);
        }
    }

    fn answer_gone(&mut self, group: GroupId, action: Action) {
        let who = action.process();
        if who.site == self.broadcast.me() {
            self.gone(group, &action);
        } else {
            self.send_to(who, Gbcast::Gone { group, action });
        }
    }

    fn send_to(&mut self, process: ProcessId, message: Gbcast) {
        let era = self.broadcast.era.as_ref();
        let Some(sites) = era.map(|e| e.set([process.site].into_iter())) else {
            return;
        };
        let large =
            matches!(&message, Gbcast::Request { payload, .. } if payload.len() > BULK_ABOVE);
        let lane = if large { Lane::Bulk } else { Lane::Data };
        self.broadcast
            .send_behind_finals(sites, lane, Message::Gbcast(message));
    }
}
