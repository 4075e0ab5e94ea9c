use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::process::{Operation, Process, Wait};
use crate::delivery::{GroupView, Olabel};
use crate::error::Error;
use crate::ids::{GroupId, MessageId};
use crate::machine::broadcast::Address;

/// A process's membership in a group, or its watch of one ([`Process::lookup`]).
#[derive(Clone)]
pub struct Group {
    id: GroupId,
    name: Arc<str>,
    process: Process,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} {:?} {:?})", self.id, self.name, self.process)
    }
}

impl Group {
    pub(crate) fn new(id: GroupId, name: &str, process: Process) -> Group {
        Group {
            id,
            name: Arc::from(name),
            process,
        }
    }

    /// The instance of the group.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The member, or who watches.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The view of the last `View` event that the process took; none before the first, and none
    /// after the one that ended its membership or the group.
    pub fn view(&self) -> Option<Arc<GroupView>> {
        self.process.endpoint().ok()?.group(self.id)?.view
    }

    /// BCAST (§3.1) to the members: those of the same label come in the same order everywhere.
    pub fn bcast(&self, label: &str, payload: Bytes, wait: Wait) -> Result<MessageId, Error> {
        let (to, size) = (Address::Group(self.id), payload.len());
        self.process
            .endpoint()?
            .send(size, wait, |e| e.bcast(to, label, payload))
    }

    /// A safe BCAST to the members: nobody has it until all operational members' sites are known to hold
    /// it, and what comes before it by its label, in their final places. So nobody, whether it fails
    /// or not, takes it before or after anything of the label but as all survivors do; plain ones that
    /// stand behind it wait along. It takes two more hops than a plain one.
    pub fn safe_bcast(&self, label: &str, payload: Bytes, wait: Wait) -> Result<MessageId, Error> {
        let (to, size) = (Address::Group(self.id), payload.len());
        self.process
            .endpoint()?
            .send(size, wait, |e| e.safe_bcast(to, label, payload))
    }

    /// OBCAST (§3.2) to the members: delivered here at once, elsewhere after what precedes it.
    pub fn obcast(&self, olabel: Olabel, payload: Bytes, wait: Wait) -> Result<MessageId, Error> {
        self.process
            .send_obcast(Address::Group(self.id), olabel, payload, wait)
    }

    /// GBCAST (§3.3) to the members: ordered against everything in the group.
    pub fn gbcast(&self, payload: Bytes, wait: Wait) -> Result<MessageId, Error> {
        let size = payload.len();
        self.process
            .endpoint()?
            .send(size, wait, |e| e.gbcast(self.id, payload))
    }

    /// Stops being a member, or watching.
    pub fn leave(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.process
            .run(Operation::Leave(self.id), timeout, |_| ())?;
        Ok(())
    }

    /// Starts to leave; the token comes back in `Event::Completed`.
    pub fn start_leave(&self) -> Result<u64, Error> {
        self.process.endpoint()?.start(|e| e.leave(self.id))
    }
}
