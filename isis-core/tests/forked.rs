//! Calls in a forked child. A program of its own, because what it pretends cannot be taken back.

use std::sync::Arc;

use bytes::Bytes;
use isis_core::Error;
use isis_core::config::Config;
use isis_core::ids::SiteId;
use isis_core::runtime::{InProcessNetwork, Site, Wait, fork};

#[test]
fn every_call_in_a_child_is_refused() {
    let mut config = Config::new(SiteId(1));
    config.listen = "site-1:1".into();
    let network = Arc::new(InProcessNetwork::new());
    let site = Site::open_with(config, network).unwrap();
    site.wait_view(1, None).unwrap();
    let process = site.process("parent's").unwrap();
    let group = process.join("g", None).unwrap();

    fork::child_handler_registered();
    fork::in_child();
    let forked = Some(Error::Forked);
    assert_eq!(site.process("child's").err(), forked);
    assert_eq!(site.wait_view(1, None).err(), forked);
    assert_eq!(site.close(None).err(), forked);
    assert_eq!(process.next(None).err(), forked);
    assert_eq!(process.flush(None).err(), forked);
    assert_eq!(process.join("h", None).err(), forked);
    assert_eq!(process.close(None).err(), forked);
    let send = group.bcast("", Bytes::new(), Wait::Forever);
    assert_eq!(send.err(), forked);
    assert_eq!(group.leave(None).err(), forked);
    assert_eq!(process.try_next(), None);
    assert_eq!(process.pending(), 0);
    process.wakeup();
    site.halt();
    // Dropping only lets go of memory.
    drop((group, process, site));
}
