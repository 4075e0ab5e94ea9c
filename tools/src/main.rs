//! The `isis` command: the demonstration, the measurement and the soak.

mod bench;
mod child;
mod clock;
mod crew;
mod demo;
mod fields;
mod ports;
mod soak;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What every run of the command ends with: nothing, or what went wrong.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(
    version,
    about = "Process groups with ordered, atomic broadcasts: demonstration and measurement"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Three processes replicate a text; one is killed; all must agree
    Demo(demo::Options),
    /// Throughput, latency and kill to view of three processes on loopback, through the C interface
    Bench(bench::Options),
    /// Load on four sites, of which one after the other is killed and comes back
    Soak(soak::Options),
    /// One of the sites of `isis soak`
    #[command(hide = true)]
    SoakMember(soak::MemberOptions),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::SoakMember(options) => soak::member(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("isis: {error}");
            ExitCode::FAILURE
        }
    }
}
