//! A site of the soak. It says, line by line:
//!
//! ```text
//! open me=2.17
//! view number=5 members=1.9,2.17 messages=<n> order=<hex> set=<hex>   of the view that this one ends
//! stopped b=<n> o=<n>                                                 what it has sent in all
//! idle threads=<n> fds=<n> queued_events=<n> ...
//! resident kib=<n>
//! from site=1.9 kind=b first=1 last=5000 count=5000
//! reported
//! ```
//!
//! and obeys `start`, `stop`, `idle`, `memory`, `report` and `quit`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use isis_core::config::Config;
use isis_core::delivery::{Event, GroupView, Message, Olabel};
use isis_core::error::Error;
use isis_core::ids::{Class, Site as SiteName};
use isis_core::runtime::{Group, Process, Site, Wait};

use crate::Outcome;

/// The size of every message.
const SIZE: usize = 64;

/// How often the sender catches up with its rate.
const TICK: Duration = Duration::from_millis(2);

/// What `isis soak-member` is told.
#[derive(Args)]
pub struct MemberOptions {
    /// The site's configuration
    config: String,
    /// Broadcasts per second that it offers when started
    rate: u32,
}

/// Runs until told to quit.
pub fn member(options: &MemberOptions) -> Outcome<bool> {
    let site = Site::open(Config::from_text(&options.config)?)?;
    let process = site.process("soak")?;
    println!("open me={}", process.id().site);
    let group = process.join("soak", None)?;
    let orders = listen(process.clone());
    let mut ledger = Ledger::default();
    let mut sender = None;
    loop {
        match process.next(Some(Duration::from_millis(100))) {
            Ok(Event::Message(message)) => ledger.message(&message),
            Ok(Event::View(view)) => ledger.view(&view),
            Ok(Event::Excluded(view)) => return Err(format!("excluded from {view:?}").into()),
            Ok(_) | Err(Error::TimedOut | Error::Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
        for order in orders.try_iter() {
            match order.as_str() {
                "start" => sender = Some(Sender::start(group.clone(), options.rate)),
                "stop" => stop(sender.take()),
                "idle" => println!("idle {}", idle(&site)),
                "memory" => println!("resident kib={}", resident()?),
                "report" => ledger.report(),
                _ => {
                    site.close(Some(Duration::from_secs(5)))?;
                    return Ok(true);
                }
            }
        }
    }
}

/// The lines of standard input; `quit` when it ends.
fn listen(process: Process) -> Receiver<String> {
    let (sender, orders) = channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        for line in lines.chain(std::iter::once(String::from("quit"))) {
            if sender.send(line).is_err() {
                return;
            }
            process.wakeup();
        }
    });
    orders
}

fn stop(sender: Option<Sender>) {
    let (bcasts, obcasts) = sender.map_or((0, 0), Sender::stop);
    println!("stopped b={bcasts} o={obcasts}");
}

/// What the process and the library hold: to be the same whenever nothing is going on.
fn idle(site: &Site) -> String {
    let count = |path| std::fs::read_dir(path).map_or(0, Iterator::count);
    let mut text = format!(
        "threads={} fds={}",
        count("/proc/self/task"),
        count("/proc/self/fd")
    );
    for (name, value) in site.stats().gauges() {
        text += &format!(" site_{name}={value}");
    }
    text
}

/// The memory of this process that is in RAM, in KiB.
fn resident() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let number = line.and_then(|l| l.split_whitespace().next());
    Ok(number.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}

/// The thread that offers the load: BCASTs and OBCASTs in turn, each numbered from 1.
struct Sender {
    halt: Arc<AtomicBool>,
    thread: JoinHandle<Result<(u64, u64), Error>>,
}

impl Sender {
    fn start(group: Group, rate: u32) -> Sender {
        let halt = Arc::new(AtomicBool::new(false));
        let told = halt.clone();
        Sender {
            halt,
            thread: std::thread::spawn(move || offer(&group, rate, &told)),
        }
    }

    fn stop(self) -> (u64, u64) {
        self.halt.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(Ok(sent)) => sent,
            Ok(Err(error)) => {
                eprintln!("send: {error}");
                (0, 0)
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn offer(group: &Group, rate: u32, halt: &AtomicBool) -> Result<(u64, u64), Error> {
    let begin = Instant::now();
    let (mut bcasts, mut obcasts) = (0, 0);
    while !halt.load(Ordering::Relaxed) {
        let due = begin.elapsed().as_secs_f64() * f64::from(rate);
        while ((bcasts + obcasts) as f64) < due && !halt.load(Ordering::Relaxed) {
            if bcasts == obcasts {
                group.bcast("soak", payload(bcasts + 1), Wait::Forever)?;
                bcasts += 1;
            } else {
                group.obcast(Olabel::Causal, payload(obcasts + 1), Wait::Forever)?;
                obcasts += 1;
            }
        }
        std::thread::sleep(TICK);
    }
    Ok((bcasts, obcasts))
}

fn payload(number: u64) -> Bytes {
    let mut bytes = vec![0; SIZE];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes.into()
}

/// What was delivered.
#[derive(Default)]
struct Ledger {
    from: BTreeMap<(SiteName, Class), Received>,
    messages: u64,
    order: u64,
    set: u64,
}

/// Of one incarnation and primitive.
#[derive(Default)]
struct Received {
    first: u64,
    last: u64,
    count: u64,
}

impl Ledger {
    fn message(&mut self, message: &Message) {
        let number = message
            .payload
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (site, class) = (message.id.sender.site, message.id.class);
        let received = self.from.entry((site, class)).or_default();
        if received.count == 0 {
            received.first = number;
        }
        received.last = received.last.max(number);
        received.count += 1;
        let name = mixed(site.incarnation.0 ^ mixed(number) ^ u64::from(class == Class::Bcast));
        self.messages += 1;
        self.set = self.set.wrapping_add(name);
        if class == Class::Bcast {
            self.order = mixed(self.order ^ name);
        }
    }

    fn view(&mut self, view: &GroupView) {
        let members: Vec<String> = view.members.iter().map(|m| m.site.to_string()).collect();
        println!(
            "view number={} members={} messages={} order={:x} set={:x}",
            view.number,
            members.join(","),
            self.messages,
            self.order,
            self.set
        );
        (self.messages, self.order, self.set) = (0, 0, 0);
    }

    fn report(&self) {
        for ((site, class), received) in &self.from {
            let kind = if *class == Class::Bcast { "b" } else { "o" };
            println!(
                "from site={site} kind={kind} first={} last={} count={}",
                received.first, received.last, received.count
            );
        }
        println!("reported");
    }
}

/// SplitMix64's mixing.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
