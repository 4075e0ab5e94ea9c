//! The core's names as C structs. None has padding, so memcmp() compares them.

use isis_core::ids::{Class, GroupId, Incarnation, MessageId, ProcessId, Site, SiteId};

use crate::status::Failure;

/// One running instance of a site (4.1): its number, and which run of it this is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct isis_site_id {
    /// Grows at every restart.
    pub incarnation: u64,
    /// The configured number.
    pub site: u32,
    /// 0.
    pub reserved: u32,
}

/// A process: an endpoint at a site (2). Never used again for another one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct isis_process_id {
    /// The incarnation of its site.
    pub incarnation: u64,
    /// The number of its site.
    pub site: u32,
    /// Which of the site's processes, from 1.
    pub index: u32,
}

/// ID(B) of section 3: the name of a broadcast.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct isis_id {
    /// SENDER(B).
    pub sender: isis_process_id,
    /// Counts from 1 per sender and primitive.
    pub seq: u64,
    /// ISIS_BCAST, ISIS_OBCAST or ISIS_GBCAST.
    pub primitive: u32,
    /// 0.
    pub reserved: u32,
}

/// An instance of a group (3.3): a group dissolved and created anew under its old name has another
/// one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct isis_group_id {
    /// The process whose join created the group.
    pub founder: isis_process_id,
    /// Counts the groups that the founder created.
    pub seq: u64,
}

/// The primitive of 3.1: same label, same order at all common destinations.
pub const ISIS_BCAST: u32 = 1;
/// The primitive of 3.2: ordered by what *precedes* it.
pub const ISIS_OBCAST: u32 = 2;
/// The primitive of 3.3: ordered against everything in its group.
pub const ISIS_GBCAST: u32 = 3;

impl From<Site> for isis_site_id {
    fn from(site: Site) -> isis_site_id {
        isis_site_id {
            incarnation: site.incarnation.0,
            site: site.id.0,
            reserved: 0,
        }
    }
}

impl From<ProcessId> for isis_process_id {
    fn from(process: ProcessId) -> isis_process_id {
        isis_process_id {
            incarnation: process.site.incarnation.0,
            site: process.site.id.0,
            index: process.index,
        }
    }
}

impl From<isis_process_id> for ProcessId {
    fn from(process: isis_process_id) -> ProcessId {
        ProcessId {
            site: Site {
                id: SiteId(process.site),
                incarnation: Incarnation(process.incarnation),
            },
            index: process.index,
        }
    }
}

impl From<GroupId> for isis_group_id {
    fn from(group: GroupId) -> isis_group_id {
        isis_group_id {
            founder: group.founder.into(),
            seq: group.seq,
        }
    }
}

pub(crate) fn primitive_of(class: Class) -> u32 {
    match class {
        Class::Bcast => ISIS_BCAST,
        Class::Obcast => ISIS_OBCAST,
        Class::Gbcast => ISIS_GBCAST,
    }
}

impl From<MessageId> for isis_id {
    fn from(id: MessageId) -> isis_id {
        isis_id {
            sender: id.sender.into(),
            seq: id.seq,
            primitive: primitive_of(id.class),
            reserved: 0,
        }
    }
}

/// The core's name of a broadcast, unless C made a wrong one up.
pub(crate) fn message_id_of(id: isis_id) -> Result<MessageId, Failure> {
    let class = match id.primitive {
        ISIS_BCAST => Class::Bcast,
        ISIS_OBCAST => Class::Obcast,
        ISIS_GBCAST => Class::Gbcast,
        other => {
            return Err(Failure::invalid(format!(
                "id.primitive is {other}: none of ISIS_BCAST, ISIS_OBCAST, ISIS_GBCAST"
            )));
        }
    };
    Ok(MessageId {
        sender: id.sender.into(),
        class,
        seq: id.seq,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_have_no_padding() {
        assert_eq!(size_of::<isis_site_id>(), 16);
        assert_eq!(size_of::<isis_process_id>(), 16);
        assert_eq!(size_of::<isis_id>(), 32);
        assert_eq!(size_of::<isis_group_id>(), 24);
    }

    #[test]
    fn ids_go_there_and_back() {
        for class in [Class::Bcast, Class::Obcast, Class::Gbcast] {
            let sender = ProcessId {
                site: Site {
                    id: SiteId(3),
                    incarnation: Incarnation(1 << 40),
                },
                index: 7,
            };
            let id = MessageId {
                sender,
                class,
                seq: 9,
            };
            assert_eq!(message_id_of(id.into()).unwrap(), id);
        }
        let mut bad = isis_id::from(MessageId {
            sender: isis_process_id::into(isis_process_id {
                incarnation: 1,
                site: 1,
                index: 1,
            }),
            class: Class::Bcast,
            seq: 1,
        });
        bad.primitive = 4;
        assert!(message_id_of(bad).is_err());
    }
}
