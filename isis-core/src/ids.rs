//! Names of sites, processes, messages and groups.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// The numeric name of a site, the same over all its incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteId(pub u32);

/// Grows at every restart of a site (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// The most sites that a view may have. Further ones wait to be admitted until others have left.
pub const MAX_SITES: usize = 128;

/// One running instance of the library. As in the report, "site" always means an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Site {
    /// The configured number.
    pub id: SiteId,
    /// Which run of it.
    pub incarnation: Incarnation,
}

/// The random name of one site-view sequence, chosen with its first view (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u128);

/// The number of a site view within its epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ViewNumber(pub u64);

/// The index of a site's own process, which carries the directory (R30). No application opens it or
/// addresses it.
pub const SITE_PROCESS: u32 = 0;

/// A process: an endpoint at a site. Indices are never used again within an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Where it runs.
    pub site: Site,
    /// Which of that site's processes; [`SITE_PROCESS`] is its own.
    pub index: u32,
}

/// Which broadcast primitive carried a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// §3.1.
    Bcast,
    /// §3.2.
    Obcast,
    /// §3.3.
    Gbcast,
}

/// ID(B) of §3: unique over all incarnations. Ids of one sender and class order as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId {
    /// SENDER(B).
    pub sender: ProcessId,
    /// The primitive.
    pub class: Class,
    /// Counts from 1 per sender and class.
    pub seq: u64,
}

/// The instance of a group. A group dissolved and created anew under its old name has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId {
    /// The process whose join created the group.
    pub founder: ProcessId,
    /// Counts the groups that the founder created.
    pub seq: u64,
}

impl Epoch {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Epoch> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok();
        number.filter(|_| digits).map(Epoch)
    }
}

impl fmt::Display for Epoch {
    /// As 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.incarnation.0)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}@{}", self.index, self.site)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Bcast => 'b',
            Class::Obcast => 'o',
            Class::Gbcast => 'g',
        };
        write!(f, "{class}{}:{}", self.seq, self.sender)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "G{}:{}", self.seq, self.founder)
    }
}

/// A text that is no id of the kind wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct NoId(&'static str);

const SITE: NoId = NoId("a site, id.incarnation");
const PROCESS: NoId = NoId("a process, p1@id.incarnation");
const MESSAGE: NoId = NoId("a broadcast, b1:p1@id.incarnation (b, o or g)");
const GROUP: NoId = NoId("a group, G1:p1@id.incarnation");

/// Digits alone: what `Display` writes, and nothing else that the standard library would take.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl FromStr for Site {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Site, NoId> {
        let read = || {
            let (id, incarnation) = text.split_once('.')?;
            Some(Site {
                id: SiteId(number(id)?),
                incarnation: Incarnation(number(incarnation)?),
            })
        };
        read().ok_or(SITE)
    }
}

impl FromStr for ProcessId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<ProcessId, NoId> {
        let read = || {
            let (index, site) = text.strip_prefix('p')?.split_once('@')?;
            Some(ProcessId {
                index: number(index)?,
                site: site.parse().ok()?,
            })
        };
        read().ok_or(PROCESS)
    }
}

impl FromStr for MessageId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<MessageId, NoId> {
        let read = || {
            let (head, sender) = text.split_once(':')?;
            let class = match head.get(..1)? {
                "b" => Class::Bcast,
                "o" => Class::Obcast,
                "g" => Class::Gbcast,
                _ => return None,
            };
            Some(MessageId {
                sender: sender.parse().ok()?,
                class,
                seq: number(&head[1..])?,
            })
        };
        read().ok_or(MESSAGE)
    }
}

impl FromStr for GroupId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<GroupId, NoId> {
        let read = || {
            let (seq, founder) = text.strip_prefix('G')?.split_once(':')?;
            Some(GroupId {
                founder: founder.parse().ok()?,
                seq: number(seq)?,
            })
        };
        read().ok_or(GROUP)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn comes_back<T: FromStr + fmt::Display>(text: &str) {
        let read: Option<T> = text.parse().ok();
        assert_eq!(read.map(|id| id.to_string()).as_deref(), Some(text));
    }

    #[test]
    fn ids_come_back_from_their_texts() {
        comes_back::<Site>("0.18446744073709551615");
        comes_back::<ProcessId>("p1@4294967295.17");
        for text in ["b3:p1@0.17", "o3:p1@0.17", "g3:p1@0.17"] {
            comes_back::<MessageId>(text);
        }
        comes_back::<GroupId>("G2:p1@0.17");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "1", "1.", ".1", "1.x", "+1.1", "1.1 ", "4294967296.1"] {
            assert_eq!(text.parse::<Site>(), Err(SITE), "{text:?}");
        }
        for text in ["", "1@1.1", "p@1.1", "p1", "p-1@1.1"] {
            assert_eq!(text.parse::<ProcessId>(), Err(PROCESS), "{text:?}");
        }
        for text in ["", "x1:p1@1.1", "\u{e9}1:p1@1.1", "b:p1@1.1", "b1p1@1.1"] {
            assert_eq!(text.parse::<MessageId>(), Err(MESSAGE), "{text:?}");
        }
        assert_eq!("g1:p1@1.1".parse::<GroupId>(), Err(GROUP));
    }
}
