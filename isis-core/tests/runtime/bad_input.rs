//! What a site does about wrong configurations and strange connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use isis_core::Error;
use isis_core::config::Config;
use isis_core::ids::SiteId;
use isis_core::runtime::{InProcessNetwork, Site, Wait};

use crate::support::*;

fn listening(address: &str) -> Config {
    let mut config = Config::new(SiteId(1));
    config.listen = address.to_owned();
    config
}

/// What `open` says.
fn refusal(config: Config) -> String {
    Site::open(config).unwrap_err().to_string()
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = Site::open(listening(&address)).unwrap_err();
    assert!(
        matches!(&error, Error::Io(text) if text.contains(&address)),
        "{error}"
    );

    let network = Arc::new(InProcessNetwork::new());
    let site = Site::open_with(listening("a:1"), network.clone()).unwrap();
    let error = Site::open_with(listening("a:1"), network.clone()).unwrap_err();
    assert!(
        matches!(&error, Error::Io(text) if text.contains("a:1")),
        "{error}"
    );
    // And free again afterwards.
    site.halt();
    Site::open_with(listening("a:1"), network).unwrap().halt();
}

#[test]
fn a_restarted_site_gets_its_port_back() {
    let mut sites = tcp_sites("127.0.0.1", 2);
    let address = sites[0].local_addr();
    sites.remove(0).halt();
    let site = Site::open(listening(&address)).unwrap();
    assert_eq!(site.local_addr(), address);
    site.halt();
    halt(&sites);
}

#[test]
fn listening_to_the_world_takes_the_operators_word() {
    let text = refusal(listening("0.0.0.0:0"));
    assert!(text.contains("insecure=yes"), "{text}");
    let mut config = listening("0.0.0.0:0");
    config.insecure = true;
    let text = refusal(config.clone());
    assert!(text.contains("advertise="), "{text}");
    config.advertise = "127.0.0.1:7999".into();
    Site::open(config).unwrap().halt();
}

#[test]
fn an_address_that_stands_for_nothing_is_refused() {
    let long = "x".repeat(70);
    let text = refusal(listening(&format!("{long}:7001")));
    assert!(text.contains(&long), "{text}");
    let mut config = listening("127.0.0.1:0");
    config.peers = [(SiteId(1), "127.0.0.1:1".into())].into();
    assert!(refusal(config).contains("own id"));
}

#[test]
fn peers_may_be_names() {
    let addresses = free_addresses("127.0.0.1", 2);
    let mut configs = configs(&addresses);
    for config in &mut configs {
        for address in config.peers.values_mut() {
            *address = address.replace("127.0.0.1", "localhost");
        }
    }
    let sites = in_one_view(
        configs
            .into_iter()
            .map(|c| Site::open(c).unwrap())
            .collect(),
    );
    halt(&sites);
}

/// True when the other side has closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(e) => e.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[test]
fn garbage_and_silence_on_the_port_disturb_nobody() {
    let sites = tcp_sites("127.0.0.1", 2);
    let groups = members(&sites, "g");
    let address = sites[0].local_addr();
    let connect = || TcpStream::connect(&address).unwrap();

    let longer_than_any_frame = [0xff; 64];
    let no_greeting = [&[5, 0, 0, 0][..], b"hello"].concat();
    for garbage in [&longer_than_any_frame[..], &no_greeting] {
        let before = sites[0].stats().garbage_connections;
        let mut stream = connect();
        stream.write_all(garbage).unwrap();
        eventually("garbage is cut off", || is_closed(&mut stream));
        assert_eq!(sites[0].stats().garbage_connections, before + 1);
    }

    // More silent ones than a site keeps: the oldest go.
    let mut silent: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
    eventually("a silent connection is cut off", || {
        is_closed(&mut silent[0])
    });
    let cut = || sites[0].stats().half_open_connections;
    eventually("some more are", || cut() >= 36);
    assert!(sites[0].stats().connections <= 70);

    groups[1]
        .bcast("", Bytes::from_static(b"still here"), Wait::No)
        .unwrap();
    assert_eq!(messages(&groups[0], 1), ["still here"]);
    assert_eq!(sites[0].stats().site_views, 1);
    halt(&sites);
}

#[test]
fn strangers_are_refused_and_counted() {
    let addresses = free_addresses("127.0.0.1", 2);
    let both = configs(&addresses);
    let sites = in_one_view(
        both.iter()
            .cloned()
            .map(|c| Site::open(c).unwrap())
            .collect(),
    );

    let mut stranger = both[1].clone();
    stranger.id = SiteId(3);
    stranger.cluster = "another".into();
    stranger.listen = "127.0.0.1:0".into();
    let stranger = Site::open(stranger).unwrap();
    let refused = |site: &Site| site.stats().refused_handshakes;
    eventually("the other cluster is refused on both sides", || {
        refused(&sites[0]) > 0 && refused(&stranger) > 0
    });
    stranger.halt();

    // The id of a live site: the newcomer is refused while the first answers.
    let before = refused(&sites[0]);
    let mut double = both[1].clone();
    double.listen = "127.0.0.1:0".into();
    let double = Site::open(double).unwrap();
    eventually("the double is refused on both sides", || {
        refused(&sites[0]) > before && refused(&double) > 0
    });
    double.halt();
    assert_eq!(sites[0].view().unwrap().number.0, 0);
    halt(&sites);
}

#[test]
fn names_and_payloads_have_limits() {
    let network = Arc::new(InProcessNetwork::new());
    let mut config = listening("a:1");
    config.max_message = 10;
    let site = Site::open_with(config, network).unwrap();
    assert!(matches!(
        site.process(&"x".repeat(256)),
        Err(Error::Name(_))
    ));
    let process = site.process("").unwrap();
    assert!(matches!(process.join("", LONG), Err(Error::Name(_))));
    let group = process.join("g", LONG).unwrap();
    let large = group.bcast("", Bytes::from(vec![0; 11]), Wait::Forever);
    assert_eq!(
        large,
        Err(Error::TooLarge {
            size: 11,
            limit: 10
        })
    );
    let nobody = process.bcast_to(&[], "", Bytes::new(), Wait::No);
    assert!(matches!(nobody, Err(Error::Invalid(_))));
    site.close(LONG).unwrap();
    assert!(matches!(site.process("late"), Err(Error::Closed(_))));
}
