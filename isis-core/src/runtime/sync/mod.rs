//! What the threads share and sleep on, in one place, so that the tests can put shuttle's in its stead,
//! which tries one order of steps after the other (`schedules`).

#[cfg(not(all(test, isis_shuttle)))]
mod real;
#[cfg(all(test, isis_shuttle))]
mod shuttled;

#[cfg(not(all(test, isis_shuttle)))]
pub(crate) use real::*;
#[cfg(all(test, isis_shuttle))]
pub(crate) use shuttled::*;
