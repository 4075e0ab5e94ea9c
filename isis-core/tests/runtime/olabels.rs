//! Comparisons of olabels that the application registers (§3.2, R19).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use isis_core::Error;
use isis_core::config::FirstView;
use isis_core::delivery::{Label, Olabel};
use isis_core::order::{Comparison, Relation};
use isis_core::runtime::{Group, InProcessNetwork, Site, Wait};

use crate::support::{configs, eventually, halt, in_one_view, members, next_message};

/// Numbers by their size.
fn by_number(first: &str, second: &str) -> Result<Relation, String> {
    let number = |s: &str| s.parse::<u32>().map_err(|e| e.to_string());
    Ok(match number(first)?.cmp(&number(second)?) {
        std::cmp::Ordering::Less => Relation::Before,
        std::cmp::Ordering::Equal => Relation::Equal,
        std::cmp::Ordering::Greater => Relation::After,
    })
}

/// Sites that each have one of these comparisons, or none.
fn sites(orders: Vec<Option<Comparison>>) -> Vec<Site> {
    let network = Arc::new(InProcessNetwork::new());
    let addresses: Vec<String> = (1..=orders.len()).map(|i| format!("site-{i}:1")).collect();
    let open = |(mut config, order): (isis_core::config::Config, _)| {
        config.olabels = order;
        config.first_view = FirstView::Majority;
        Site::open_with(config, network.clone()).unwrap()
    };
    configs(&addresses)
        .into_iter()
        .zip(orders)
        .map(open)
        .collect()
}

fn send(group: &Group, olabel: &str) -> Result<(), Error> {
    let olabel = Olabel::Stream(olabel.into());
    group.obcast(olabel, Bytes::new(), Wait::Forever).map(drop)
}

#[test]
fn a_comparison_orders_and_counts_what_comes_too_late() {
    let me = thread::current().id();
    let elsewhere = Arc::new(AtomicBool::new(false));
    let strayed = elsewhere.clone();
    let order = Comparison::new("number", move |a, b| {
        strayed.fetch_or(thread::current().id() != me, Ordering::Relaxed);
        by_number(a, b)
    });
    let sites = in_one_view(sites(vec![Some(order.clone()), Some(order)]));
    let groups = members(&sites, "g");
    eventually("one meets an earlier one that is not settled", || {
        send(&groups[0], "7").unwrap();
        send(&groups[0], "8").unwrap();
        send(&groups[0], "5").unwrap();
        sites[0].stats().late_olabels > 0
    });
    let taken: Vec<String> = (0..2)
        .map(|_| match next_message(&groups[1]).label {
            Label::Obcast(Olabel::Stream(name)) => name.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(taken, ["7", "8"]);
    assert!(
        !elsewhere.load(Ordering::Relaxed),
        "only where an OBCAST is sent"
    );
    halt(&sites);
}

#[test]
fn a_comparison_at_fault_stops_the_site_and_names_both_olabels() {
    let liar = Comparison::new("liar", |_, _| Ok(Relation::Before));
    let confused = Comparison::new("number", by_number);
    for (order, words) in [(liar, "contradicts itself"), (confused, "cannot compare")] {
        let sites = sites(vec![Some(order)]);
        let group = &members(&sites, "g")[0];
        let mut fault = None;
        eventually("the two are compared", || {
            fault = send(group, "1").and_then(|()| send(group, "one")).err();
            fault.is_some()
        });
        let Some(Error::Olabels(text)) = fault else {
            panic!("{fault:?}")
        };
        assert!(text.contains(words) && text.contains("\"1\""), "{text}");
        eventually("it has stopped", || {
            matches!(send(group, "1"), Err(Error::Olabels(_)))
        });
        assert!(matches!(sites[0].process(""), Err(Error::Olabels(_))));
        halt(&sites);
    }
}

#[test]
fn sites_with_other_registrations_refuse_each_other() {
    let order = |name: &str| Some(Comparison::new(name, by_number));
    let sites = sites(vec![order("a"), order("a"), order("b")]);
    in_one_view(sites[..2].to_vec());
    eventually("the third is refused", || {
        sites[2].stats().refused_handshakes > 0
    });
    assert!(sites[2].view().is_none());
    halt(&sites);
}
