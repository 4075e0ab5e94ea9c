use isis_core::delivery::Olabel;
use isis_core::ids::{GroupId, ProcessId};
use isis_core::machine::broadcast::Address;

use crate::cluster::{Cluster, site};

fn p(n: u32) -> ProcessId {
    ProcessId {
        site: site(n),
        index: 1,
    }
}

fn group() -> GroupId {
    GroupId {
        founder: p(0),
        seq: 1,
    }
}

/// Three sites whose processes are members of one group, oldest first.
fn three() -> Cluster {
    let mut c = Cluster::running(3);
    for n in 0..3 {
        c.join(p(n), "g");
        c.run();
    }
    c.taken.clear();
    c
}

#[test]
fn a_group_forms_and_everybody_delivers_everything() {
    let mut c = three();
    for n in 0..3 {
        for i in 0..10 {
            c.bcast(p(n), Address::Group(group()), "q", &format!("{n}.{i}"));
            c.obcast(
                p(n),
                Address::Group(group()),
                Olabel::Causal,
                &format!("{n}.{i}"),
            );
        }
        c.gbcast(p(n), group(), &format!("{n}"));
        c.flush(p(n));
    }
    c.run();
    c.assert_idle();
    let bcasts = |n| {
        c.log(p(n))
            .into_iter()
            .filter(|w| w.starts_with("b:"))
            .collect::<Vec<_>>()
    };
    assert_eq!(bcasts(0).len(), 30);
    assert_eq!(bcasts(0), bcasts(1));
    assert_eq!(bcasts(0), bcasts(2));
    for n in 0..3 {
        assert_eq!(
            c.log(p(n)).iter().filter(|w| w.starts_with("o:")).count(),
            30
        );
        assert_eq!(
            c.log(p(n)).iter().filter(|w| w.starts_with("g:")).count(),
            3
        );
        assert_eq!(
            c.log(p(n)).iter().filter(|w| w.contains("Flushed")).count(),
            1
        );
    }
}

#[test]
fn survivors_complete_what_a_crashed_site_sent() {
    let mut c = three();
    for i in 0..5 {
        c.bcast(p(0), Address::Group(group()), "q", &format!("b{i}"));
        c.obcast(
            p(0),
            Address::Group(group()),
            Olabel::Causal,
            &format!("o{i}"),
        );
    }
    for _ in 0..6 {
        c.deliver(site(0), site(1));
    }
    c.crash(site(0));
    c.install_everywhere(&[site(1), site(2)]);
    c.run();
    c.assert_idle();
    assert_eq!(c.log(p(1)).last().unwrap(), "g#4[1 2]");
    assert_eq!(c.log(p(2)).last().unwrap(), "g#4[1 2]");
    let sorted = |n| {
        let mut log = c.log(p(n));
        log.sort();
        log
    };
    assert_eq!(sorted(1), sorted(2));
    assert!(sorted(1).len() >= 4, "{:?}", sorted(1));
}

#[test]
fn a_new_site_joins_and_its_process_joins_the_group() {
    let mut c = Cluster::new(3);
    for n in 0..3 {
        c.open(site(n), 1);
    }
    c.install_everywhere(&[site(0), site(1)]);
    c.join(p(0), "g");
    c.run();
    c.join(p(1), "g");
    c.run();
    c.install_everywhere(&[site(0), site(1), site(2)]);
    c.join(p(2), "g");
    c.run();
    c.bcast(p(2), Address::Group(group()), "q", "hello");
    c.leave(p(0), group());
    c.run();
    c.assert_idle();
    assert_eq!(c.log(p(1)).iter().filter(|w| *w == "b:hello").count(), 1);
    assert!(c.log(p(1)).contains(&"g#4[1 2]".into()));
    assert!(c.log(p(0)).iter().any(|w| w.contains("Left")));
}
