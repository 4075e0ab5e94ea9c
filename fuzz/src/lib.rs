//! The fuzzer's view of the tests' lies: see `isis-core/tests/hostile`.

// The tests' own tests, and what only they need.
#![allow(dead_code)]

#[path = "../../isis-core/tests/report/calls.rs"]
mod calls;
#[path = "../../isis-core/tests/report/check.rs"]
mod check;
#[path = "../../isis-core/tests/hostile/choice.rs"]
mod choice;
#[path = "../../isis-core/tests/report/cluster.rs"]
mod cluster;
#[path = "../../isis-core/tests/hostile/draw.rs"]
mod draw;
#[path = "../../isis-core/tests/hostile/links.rs"]
mod links;
#[path = "../../isis-core/tests/hostile/random.rs"]
mod random;
#[path = "../../isis-core/tests/hostile/targets.rs"]
pub mod targets;
#[path = "../../isis-core/tests/hostile/views.rs"]
mod views;
#[path = "../../isis-core/tests/hostile/words.rs"]
mod words;
