//! Scripted runs of the broadcast machine: the test decides what arrives when.

mod cluster;
mod smoke;
