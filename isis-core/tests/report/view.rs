//! §4.2 and the review's scenarios on site views: the view machine's own scripted tests.

#[path = "../view/ballots.rs"]
mod ballots;
#[path = "../view/basics.rs"]
mod basics;
#[path = "../view/founding.rs"]
mod founding;
#[path = "../view/harness.rs"]
mod harness;
#[path = "../view/joining.rs"]
mod joining;
#[path = "../view/leaving.rs"]
mod leaving;
#[path = "../view/partitions.rs"]
mod partitions;
#[path = "../view/stores.rs"]
mod stores;
