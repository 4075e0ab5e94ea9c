//! The C interface of Isis: `libisis.so`, `libisis.a`, and `include/isis.h`, which is generated from
//! this crate.
//!
//! * `boundary`: the one way in; no panic crosses it.
//! * `status`: codes and this thread's last error. `args`: arguments, checked.
//! * `table`: handles as numbers; `site` (and its `stats`), `process`, `group`: what they name.
//! * `send`: the broadcasts. `dispatch`, `callbacks`, `event`, `alarm`: the way back.
//! * `message`, `view`, `ids`: what the application reads. `log`, `version`, `signals`.
//!
//! Every function's comment is the header's: what it does, thread, blocking, ownership, codes.
#![allow(non_camel_case_types)] // the names are C's

// Shipped: never the protocols with a protection taken out.
const _: () = assert!(!isis_core::IS_MUTANT, "this would ship a mutant");

// The header has its declarations in this order.
mod status;

mod version;

mod log;

mod ids;

mod site;

mod stats;

mod process;

mod farewell;
mod group;

mod send;

mod delivery_status;
mod dispatch;

mod callbacks;

mod event;

mod message;

mod view;

mod alarm;
mod args;
mod boundary;
mod signals;
mod table;
