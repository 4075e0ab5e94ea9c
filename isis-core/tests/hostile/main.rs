//! A peer whose bytes decode may still say anything: values at the edge of their types, things that
//! are not its to say, at the wrong time. None of it may stop or swell a site, and what is refused is
//! noted. `known` and `completion` have one test per way that once worked; `random` draws messages of
//! every kind with arbitrary fields, for the broadcast machine in every state, `links` and `views` for
//! the two others. `corpus` replays what fuzzing has kept.

// The report's hand-driven network; not all of it is of use here.
#![allow(dead_code)]

#[path = "../report/calls.rs"]
mod calls;
#[path = "../report/check.rs"]
mod check;
mod choice;
#[path = "../report/cluster.rs"]
mod cluster;
mod completion;
mod corpus;
mod draw;
mod known;
mod links;
mod random;
mod targets;
mod views;
mod words;
