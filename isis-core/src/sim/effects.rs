//! The steps of a site's machines: one input handled, or one effect carried out, at a time.

use bytes::{Bytes, BytesMut};

use crate::audit::trace::What;
use crate::machine::broadcast::{Input as ToBroadcast, Note as BroadcastNote};
use crate::machine::transport::Input as ToTransport;
use crate::machine::view::Input as ToViews;
use crate::machine::{broadcast, transport, view};
use crate::time::Time;

use super::cluster::host_of;
use super::node::{Node, TRANSPORT, VIEWS, WakeUp};
use super::world::{Env, Note, World};

impl<A> Node<A> {
    pub(super) fn step<W: World<App = A>>(&mut self, machine: usize, env: &mut Env<'_, W>) {
        let now = self.clock.local(env.now);
        let due = |d: Option<Time>| d.is_some_and(|d| d <= now);
        match machine {
            TRANSPORT => {
                if let Some(effect) = self.transport_effects.pop_front() {
                    return self.transport_effect(effect, env);
                }
                let due = due(self.transport.deadline());
                if let Some(input) = self.next_for_transport(due, env) {
                    let mut out = Vec::new();
                    self.transport.handle(now, input, &mut out);
                    self.transport_effects.extend(out);
                }
            }
            VIEWS => {
                if let Some(effect) = self.view_effects.pop_front() {
                    return self.view_effect(effect, env);
                }
                let late = due(self.views.deadline()) && env.chance.per_mille(500);
                let next = if late {
                    None
                } else if let Some(token) = self.disk.as_mut().and_then(|d| d.written(env.now)) {
                    Some(ToViews::Stored { token })
                } else {
                    self.to_views.pop_front()
                };
                let mut out = Vec::new();
                self.views
                    .handle(now, next.unwrap_or(ToViews::Timeout), &mut out);
                self.view_effects.extend(out);
            }
            _ => {
                if let Some(effect) = self.broadcast_effects.pop_front() {
                    return self.broadcast_effect(effect, env);
                }
                let next = self.to_broadcast.pop_front();
                let mut out = Vec::new();
                self.broadcast
                    .handle(now, next.unwrap_or(ToBroadcast::Timeout), &mut out);
                self.broadcast_effects.extend(out);
            }
        }
    }

    fn next_for_transport<W: World<App = A>>(
        &mut self,
        due: bool,
        env: &mut Env<'_, W>,
    ) -> Option<ToTransport> {
        if due && env.chance.per_mille(500) {
            return Some(ToTransport::Timeout);
        }
        let (first, second) = if env.chance.per_mille(500) {
            (&mut self.from_network, &mut self.to_transport)
        } else {
            (&mut self.to_transport, &mut self.from_network)
        };
        let next = first.pop_front().or_else(|| second.pop_front());
        next.or(due.then_some(ToTransport::Timeout))
    }

    fn transport_effect<W: World<App = A>>(
        &mut self,
        effect: transport::Effect,
        env: &mut Env<'_, W>,
    ) {
        match effect {
            transport::Effect::Connect { peer, address } => {
                env.network
                    .connect(env.now, self.home, host_of(&address), peer);
            }
            transport::Effect::Transmit { connection, frame } => {
                env.network.transmit(env.now, connection, joined(frame));
            }
            transport::Effect::Close(connection) => env.network.close(env.now, connection),
            transport::Effect::ToView(message) => {
                self.to_views.push_back(ToViews::Transport(message));
            }
            transport::Effect::Deliver(message) => {
                self.to_broadcast.push_back(ToBroadcast::Receive(message));
            }
            transport::Effect::Note(note) => {
                env.world.noted(Note::Transport(&note));
                env.record(What::Note(self.site, format!("{note:?}")));
            }
        }
    }

    fn view_effect<W: World<App = A>>(&mut self, effect: view::Effect, env: &mut Env<'_, W>) {
        match effect {
            view::Effect::ToTransport(message) => {
                self.to_transport.push_back(ToTransport::View(message));
            }
            view::Effect::Install(view) => {
                env.record(What::Install(self.site, view.clone()));
                self.to_broadcast.push_back(ToBroadcast::Install(view));
            }
            view::Effect::Quorum { reachable } => {
                self.to_broadcast
                    .push_back(ToBroadcast::Quorum { reachable });
            }
            view::Effect::Excluded { view, asked } => {
                env.record(What::Out {
                    site: self.site,
                    asked,
                });
                self.out = Some(asked);
                self.to_broadcast.push_back(ToBroadcast::Excluded(view));
            }
            view::Effect::Persist { token, memory } => {
                let takes = env.chance.below(env.laws.write_time);
                let disk = self.disk.as_mut().expect("asked for with a store");
                let at = disk.write(env.now, takes, token, *memory);
                env.wake_ups.push((at, WakeUp::Machines));
            }
            view::Effect::Note(note) => {
                env.world.noted(Note::View(&note));
                env.record(What::Note(self.site, format!("{note:?}")));
            }
        }
    }

    fn broadcast_effect<W: World<App = A>>(
        &mut self,
        effect: broadcast::Effect,
        env: &mut Env<'_, W>,
    ) {
        match effect {
            broadcast::Effect::Send { to, lane, packet } => {
                self.to_transport
                    .push_back(ToTransport::Send { to, lane, packet });
            }
            broadcast::Effect::Deliver { process, item } => {
                let Some(member) = self.processes.get_mut(&process) else {
                    return;
                };
                member.process.push(item, env);
                member.wake(env);
            }
            broadcast::Effect::Note(note) => {
                if let BroadcastNote::Malformed { from } = &note {
                    panic!("X2: {} cannot read what {from} sent", self.site)
                }
                env.world.noted(Note::Broadcast(&note));
                env.record(What::Note(self.site, format!("{note:?}")));
            }
        }
    }
}

fn joined([head, body]: [Bytes; 2]) -> Bytes {
    if body.is_empty() {
        return head;
    }
    let mut whole = BytesMut::with_capacity(head.len() + body.len());
    whole.extend_from_slice(&head);
    whole.extend_from_slice(&body);
    whole.freeze()
}
