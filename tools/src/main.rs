//! The `isis` command: the demonstration, the measurement, the soak, the tests on real networks, and the audit of what was recorded.

mod audit;
mod bench;
mod child;
mod clock;
mod crew;
mod demo;
mod fields;
mod log;
mod net;
mod ports;
mod soak;
mod trace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What every run of the command ends with: nothing, or what went wrong.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The exit status of a run that went wrong before it could say whether all is as promised. The one of
/// a wrong command line, too.
const COULD_NOT_TELL: u8 = 2;

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
    /// Sites in network namespaces, whose links and processes are made to fail; needs root
    Net(net::Options),
    /// Recorded histories: do they keep what is promised? Exit status 0: yes, 1: no, 2: cannot be told
    Audit(audit::Options),
    /// Recorded histories as a space-time diagram
    Trace(trace::Options),
    /// One scenario of `isis net`, in namespaces of its own
    #[command(hide = true)]
    NetScenario(net::ScenarioOptions),
    /// One of the sites of `isis soak`
    #[command(hide = true)]
    SoakMember(soak::MemberOptions),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Net(options) => net::run(&options),
        Command::NetScenario(options) => net::play(&options),
        Command::Audit(options) => audit::run(&options),
        Command::Trace(options) => trace::run(&options),
        Command::SoakMember(options) => soak::member(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("isis: {error}");
            ExitCode::from(COULD_NOT_TELL)
        }
    }
}
