//! The `isis` command.

fn main() {}
