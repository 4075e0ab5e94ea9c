//! The sends of a process: BCAST, OBCAST, GBCAST.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Endpoint;
use crate::delivery::limits::MAX_DESTINATIONS;
use crate::delivery::name::check_name;
use crate::delivery::olabel::{Label, Olabel, streams};
use crate::error::Error;
use crate::ids::{Class, GroupId, MessageId, SITE_PROCESS};
use crate::machine::broadcast::{Address, Call, Send};
use crate::order::Relation;

impl Endpoint {
    /// BCAST(msg, label, dests) of §3.1.
    pub fn bcast(
        &mut self,
        address: Address,
        label: &str,
        payload: Bytes,
    ) -> Result<(MessageId, Call), Error> {
        check_name("label", label, true)?;
        let after = self.past.before_bcast();
        self.send(address, Label::Bcast(Arc::from(label)), after, payload)
    }

    /// A *safe* BCAST: it is placed nowhere until all operational destination sites are known to hold it,
    /// and what comes before it by its label, in their final places. What anybody has taken up to it,
    /// all survivors take in the same order, even if who took it and its sender fail.
    pub fn safe_bcast(
        &mut self,
        address: Address,
        label: &str,
        payload: Bytes,
    ) -> Result<(MessageId, Call), Error> {
        let (id, mut call) = self.bcast(address, label, payload)?;
        if let Call::Send(send) = &mut call {
            send.safe = true;
        }
        Ok((id, call))
    }

    /// With a registered comparison: the names of which the endpoint must learn how they stand to this
    /// olabel's before [`Endpoint::obcast`] takes it.
    pub fn questions(&self, olabel: &Olabel) -> Vec<Arc<str>> {
        self.past.questions(olabel)
    }

    /// The answer to a question: how the earlier name stands to the other.
    pub fn learn(&mut self, earlier: &Arc<str>, name: &Arc<str>, relation: Relation) {
        self.past.learn(earlier, name, relation);
    }

    /// How many OBCASTs had an olabel less than an earlier one's (§3.2): nothing orders the two.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// OBCAST(msg, olabel, dests) of §3.2.
    pub fn obcast(
        &mut self,
        address: Address,
        olabel: Olabel,
        payload: Bytes,
    ) -> Result<(MessageId, Call), Error> {
        if let Olabel::Stream(name) = &olabel {
            check_name("olabel", name, false)?;
            if !self.limits.compared && streams(name).any(str::is_empty) {
                return Err(Error::Name(format!(
                    "the olabel {name:?} names an empty stream"
                )));
            }
        }
        if let Some(earlier) = self.past.questions(&olabel).first() {
            return Err(Error::Internal(format!(
                "{earlier:?} and {olabel:?} were not compared"
            )));
        }
        let group = match &address {
            Address::Group(g) => Some(*g),
            Address::List(_) => None,
        };
        let after = self.past.before_obcast(group, &olabel);
        let sent = self.send(address, Label::Obcast(olabel.clone()), after, payload)?;
        let Call::Send(Send { id, after, .. }) = &sent.1 else {
            unreachable!()
        };
        self.late += u64::from(self.past.is_late(&olabel));
        self.past.add(*id, group, olabel, after);
        Ok(sent)
    }

    fn send(
        &mut self,
        address: Address,
        label: Label,
        after: Vec<MessageId>,
        payload: Bytes,
    ) -> Result<(MessageId, Call), Error> {
        match &address {
            Address::Group(group) => self.check_may_send(*group)?,
            Address::List(list) if list.is_empty() => {
                return Err(Error::Invalid("the destination list is empty".into()));
            }
            Address::List(list) if list.len() > MAX_DESTINATIONS => {
                return Err(Error::Invalid(format!(
                    "{} destinations; at most {MAX_DESTINATIONS} are possible",
                    list.len()
                )));
            }
            Address::List(list) if list.iter().any(|p| p.index == SITE_PROCESS) => {
                return Err(Error::Invalid(
                    "the destination list names a site's own process, p0".into(),
                ));
            }
            Address::List(_) => self.check_open()?,
        }
        self.admit(payload.len())?;
        let class = if matches!(label, Label::Bcast(_)) {
            Class::Bcast
        } else {
            Class::Obcast
        };
        let id = self.next_id(class);
        Ok((
            id,
            Call::Send(Send {
                id,
                address,
                label,
                after,
                safe: false,
                payload,
            }),
        ))
    }

    /// GBCAST as an application primitive (§3.3).
    pub fn gbcast(&mut self, group: GroupId, payload: Bytes) -> Result<(MessageId, Call), Error> {
        self.check_may_send(group)?;
        self.admit(payload.len())?;
        let id = self.next_id(Class::Gbcast);
        Ok((
            id,
            Call::Gbcast {
                id,
                group,
                after: self.past.before_bcast(),
                payload,
            },
        ))
    }

    /// Takes room in the window, or says that there is none.
    fn admit(&mut self, size: usize) -> Result<(), Error> {
        if size > self.limits.max_message {
            return Err(Error::TooLarge {
                size,
                limit: self.limits.max_message,
            });
        }
        if !self.has_room(size) {
            self.refused = true;
            return Err(Error::WouldBlock);
        }
        let (messages, bytes) = self.in_flight;
        self.in_flight = (messages + 1, bytes + size);
        Ok(())
    }
}
