//! Site views (§4.2, R1–R8): which sites are operational, in one agreed sequence.

mod site_view;

pub use site_view::{LeftReason, Member, SiteView};
