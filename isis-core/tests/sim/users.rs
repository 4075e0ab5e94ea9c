//! The simulator as its users have it: an application of their own, faults of their choice.

use isis_core::delivery::{Event, Olabel};
use isis_core::ids::{GroupId, ProcessId};
use isis_core::machine::broadcast::Address;
use isis_core::sim::{Chance, Cluster, Env, Laws, MS, Process, SECOND, World, configs};

/// Every process joins one group, answers each "ping" from inside the delivery, and keeps what it took.
#[derive(Default)]
struct Answering {
    took: Vec<(ProcessId, String)>,
}

impl World for Answering {
    type App = Option<GroupId>;
    type Plan = ();

    fn open(_: &mut Env<'_, Self>, _: &Process) -> Option<GroupId> {
        None
    }

    fn pace(_: &mut Env<'_, Self>, _: &Option<GroupId>) -> Option<u64> {
        Some(0)
    }

    fn take(env: &mut Env<'_, Self>, group: &mut Option<GroupId>, process: &mut Process) {
        while let Some(event) = process.next(env) {
            match event {
                Event::View(view) => *group = Some(view.group),
                Event::Message(m) => {
                    let text = String::from_utf8_lossy(&m.payload).into_owned();
                    if text == "ping" {
                        let to = Address::Group(m.group.expect("sent to the group").0);
                        let answer = process.obcast(env, to, Olabel::Causal, "pong".into());
                        answer.expect("a member has room");
                    }
                    env.world.took.push((process.id(), text));
                }
                _ => {}
            }
        }
    }

    fn happens(_: &mut Cluster<Self>, (): ()) {}

    fn started(cluster: &mut Cluster<Self>, host: usize) {
        cluster.open(host, |_, process, env| {
            process.join(env, "all").expect("a name that will do");
        });
    }
}

fn three_members(seed: u64) -> Cluster<Answering> {
    let (world, laws) = (Answering::default(), Laws::default());
    let mut cluster = Cluster::new(world, laws, configs(3, 0), |_| false, Chance::new(seed));
    (0..3).for_each(|host| cluster.start(host));
    cluster.run_until(5 * SECOND);
    cluster
}

fn ping(cluster: &mut Cluster<Answering>, host: usize) {
    cluster.act(host, |node, env| {
        node.act(1, |group, process| {
            let to = Address::Group(group.expect("it has joined"));
            process.bcast(env, to, "a", "ping".into()).expect("room");
        })
    });
}

/// How many took each text.
fn took(cluster: &Cluster<Answering>, text: &str) -> usize {
    cluster.world.took.iter().filter(|(_, t)| t == text).count()
}

#[test]
fn members_answer_from_inside_a_delivery() {
    let mut cluster = three_members(1);
    ping(&mut cluster, 0);
    cluster.run_until(6 * SECOND);
    assert_eq!((took(&cluster, "ping"), took(&cluster, "pong")), (3, 9));
}

#[test]
fn survivors_of_a_crash_go_on() {
    let mut cluster = three_members(2);
    cluster.halt(0, true);
    cluster.run_until(20 * SECOND);
    ping(&mut cluster, 1);
    cluster.run_until(21 * SECOND);
    assert_eq!((took(&cluster, "ping"), took(&cluster, "pong")), (2, 4));
}

#[test]
fn a_cut_holds_up_what_a_minority_sends() {
    let mut cluster = three_members(3);
    for other in [0, 1] {
        cluster.cut(2, other);
        cluster.cut(other, 2);
    }
    ping(&mut cluster, 2);
    cluster.run_until(cluster.now() + 100 * MS);
    assert_eq!(took(&cluster, "ping"), 0);
    cluster.heal();
    cluster.run_until(cluster.now() + SECOND);
    assert_eq!(took(&cluster, "ping"), 3);
}
