//! Site views and group views as they stand in a history.

use serde::{Deserialize, Serialize};

use super::{Text, items, texts};
use crate::delivery::{GroupView, LeaveReason};
use crate::ids::GroupId;
use crate::ids::{Epoch, ProcessId, Site, SiteId, ViewNumber};
use crate::view::{LeftReason, Member, SiteView};

/// A site view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteViewText {
    /// In hexadecimal.
    pub epoch: String,
    /// Within the epoch.
    pub number: u64,
    /// Oldest first.
    pub members: Vec<Text<Site>>,
    /// Those that are new.
    pub joined: Vec<Text<Site>>,
    /// Those of the view before that are not in it, and whether they had asked.
    pub left: Vec<(Text<Site>, SiteLeft)>,
    /// The listed sites of the first view.
    pub founding: Vec<u32>,
}

/// Why a site is out of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // as in `LeftReason`
pub enum SiteLeft {
    Asked,
    Failed,
}

/// A group view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupViewText {
    /// The instance of the group.
    pub group: Text<GroupId>,
    /// The group's name.
    pub name: String,
    /// Counts from 1 per instance.
    pub number: u64,
    /// Oldest first.
    pub members: Vec<Text<ProcessId>>,
    /// Those that are new.
    pub joined: Vec<Text<ProcessId>>,
    /// Those of the view before that are not in it, and why.
    pub left: Vec<(Text<ProcessId>, ProcessLeft)>,
}

/// Why a process is out of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // as in `LeaveReason`
pub enum ProcessLeft {
    Left,
    SiteFailed,
    ProcessFailed,
}

impl From<&SiteView> for SiteViewText {
    fn from(view: &SiteView) -> SiteViewText {
        let left = |(site, why): &(Site, LeftReason)| {
            let why = match why {
                LeftReason::Asked => SiteLeft::Asked,
                LeftReason::Failed => SiteLeft::Failed,
            };
            (Text(*site), why)
        };
        SiteViewText {
            epoch: format!("{:032x}", view.epoch.0),
            number: view.number.0,
            members: view.sites().map(Text).collect(),
            joined: texts(&view.joined),
            left: view.left.iter().map(left).collect(),
            founding: view.founding.iter().map(|id| id.0).collect(),
        }
    }
}

impl SiteViewText {
    /// What of the view is recorded. Nothing if the epoch is no number.
    pub fn view(self) -> Option<SiteView> {
        let member = |site: Text<Site>| Member {
            site: site.0,
            address: String::new(),
        };
        let left = |(site, why): (Text<Site>, SiteLeft)| {
            let why = match why {
                SiteLeft::Asked => LeftReason::Asked,
                SiteLeft::Failed => LeftReason::Failed,
            };
            (site.0, why)
        };
        Some(SiteView {
            epoch: Epoch(u128::from_str_radix(&self.epoch, 16).ok()?),
            number: ViewNumber(self.number),
            members: self.members.into_iter().map(member).collect(),
            joined: items(self.joined),
            left: self.left.into_iter().map(left).collect(),
            founding: self.founding.into_iter().map(SiteId).collect(),
            highest: Default::default(),
        })
    }
}

impl From<&GroupView> for GroupViewText {
    fn from(view: &GroupView) -> GroupViewText {
        let left = |(process, why): &(ProcessId, LeaveReason)| {
            let why = match why {
                LeaveReason::Left => ProcessLeft::Left,
                LeaveReason::SiteFailed => ProcessLeft::SiteFailed,
                LeaveReason::ProcessFailed => ProcessLeft::ProcessFailed,
            };
            (Text(*process), why)
        };
        GroupViewText {
            group: Text(view.group),
            name: view.name.clone(),
            number: view.number,
            members: texts(&view.members),
            joined: texts(&view.joined),
            left: view.left.iter().map(left).collect(),
        }
    }
}

impl From<GroupViewText> for GroupView {
    fn from(view: GroupViewText) -> GroupView {
        let left = |(process, why): (Text<ProcessId>, ProcessLeft)| {
            let why = match why {
                ProcessLeft::Left => LeaveReason::Left,
                ProcessLeft::SiteFailed => LeaveReason::SiteFailed,
                ProcessLeft::ProcessFailed => LeaveReason::ProcessFailed,
            };
            (process.0, why)
        };
        GroupView {
            group: view.group.0,
            name: view.name,
            number: view.number,
            members: items(view.members),
            joined: items(view.joined),
            left: view.left.into_iter().map(left).collect(),
        }
    }
}
