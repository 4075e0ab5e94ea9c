//! The surroundings of one input: the time, and where effects go.

use alloc::vec::Vec;

use super::message::Message;
use crate::ids::Site;
use crate::machine::ViewToTransport;
use crate::machine::view::{Effect, Note};
use crate::time::Time;
use crate::wire;

pub(super) struct Step<'a> {
    pub now: Time,
    pub out: &'a mut Vec<Effect>,
}

impl Step<'_> {
    pub fn send(&mut self, to: Site, message: &Message) {
        let message = wire::encode(message).into();
        self.transport(ViewToTransport::Send { to, message });
    }

    pub fn send_all(&mut self, to: impl IntoIterator<Item = Site>, message: &Message) {
        let message: bytes::Bytes = wire::encode(message).into();
        for to in to {
            let message = message.clone();
            self.transport(ViewToTransport::Send { to, message });
        }
    }

    pub fn transport(&mut self, order: ViewToTransport) {
        self.out.push(Effect::ToTransport(order));
    }

    pub fn note(&mut self, note: Note) {
        self.out.push(Effect::Note(note));
    }
}
