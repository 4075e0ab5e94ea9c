//! Sites with stores, each a program of its own that can be killed: this test's program starts itself
//! again, as a site that says what happens to it on its standard output.

// What the programs do takes real time, and is bounded by it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use isis_core::Error;
use isis_core::config::Config;
use isis_core::delivery::Event;
use isis_core::runtime::Site;

/// Longer than anything here takes, on a busy machine too.
const LONG: Duration = Duration::from_secs(60);
/// The configuration of the site that a started program is to be.
const CONFIG: &str = "ISIS_TEST_SITE";

/// What a started program does; in the test's own run there is nothing to do.
#[test]
fn a_site_of_its_own() {
    let Ok(text) = env::var(CONFIG) else {
        return;
    };
    log::set_logger(&LOGGER).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let site = match Site::open(Config::from_text(&text).unwrap()) {
        Ok(site) => site,
        Err(e) => return say(&format!("error {e}")),
    };
    say(&format!("opened {}", site.id()));
    // It ends when the test closes its input, or kills it.
    let closer = site.clone();
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        closer.close(Some(LONG)).unwrap();
    });
    let process = match site.process("watch") {
        Ok(process) => process,
        Err(e) => return say(&format!("ended {e}")),
    };
    loop {
        match process.next(None) {
            Ok(Event::SiteView(view)) => {
                let ids: Vec<String> = view.sites().map(|s| s.id.to_string()).collect();
                let (number, epoch) = (view.number.0, view.epoch);
                say(&format!("view {number} {epoch} {}", ids.join(",")));
            }
            Ok(_) => {}
            Err(e) => return say(&format!("ended {e}")),
        }
    }
}

struct Logger;
static LOGGER: Logger = Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        say(&format!("log {}", record.args()));
    }
    fn flush(&self) {}
}

/// Past the harness's capture.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "> {line}").unwrap();
    out.flush().unwrap();
}

/// A running program and what it said.
struct Program {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Program {
    fn start(config: &str) -> Program {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["a_site_of_its_own", "--exact", "--nocapture"]);
        command.env(CONFIG, config);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = channel();
        thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            lines
                .filter_map(|l| Some(l.split_once("> ")?.1.to_owned()))
                .try_for_each(|line| to.send(line))
        });
        Program {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// The next line that has these words.
    #[track_caller]
    fn says(&mut self, words: &str) -> String {
        let end = Instant::now() + LONG;
        loop {
            match self.lines.recv_timeout(end - Instant::now()) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(words) {
                        return line;
                    }
                }
                Err(e) => panic!("{e}, no {words:?}; it said:\n{}", self.said.join("\n")),
            }
        }
    }

    /// The number and the name of the sequence of the next view of exactly these sites.
    #[track_caller]
    fn view_of(&mut self, ids: &[u32]) -> (u64, String) {
        let (number, epoch, _) = self.view_by_age(ids);
        (number, epoch)
    }

    /// The same with the sites, oldest first.
    #[track_caller]
    fn view_by_age(&mut self, ids: &[u32]) -> (u64, String, Vec<u32>) {
        loop {
            let line = self.says("view ");
            let words: Vec<&str> = line.split(' ').collect();
            if let ["view", number, epoch, members] = words[..] {
                let by_age: Vec<u32> = members.split(',').map(|id| id.parse().unwrap()).collect();
                let mut members = by_age.clone();
                members.sort();
                if members == ids {
                    return (number.parse().unwrap(), epoch.to_owned(), by_age);
                }
            }
        }
    }

    /// Nothing of this kind for a while.
    fn stays_without_view(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            match self.lines.recv_timeout(end - Instant::now()) {
                Ok(line) => {
                    assert!(!line.starts_with("view "), "{line}");
                    self.said.push(line);
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(e) => panic!("{e}; it said:\n{}", self.said.join("\n")),
            }
        }
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Closes its site.
    fn close(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three sites that list each other, with a directory for each one's store.
struct Cluster {
    folder: PathBuf,
    ports: Vec<u16>,
}

impl Cluster {
    fn new(name: &str) -> Cluster {
        let folder = env::temp_dir().join(format!("isis-{name}-{}", process::id()));
        fs::create_dir(&folder).unwrap();
        // Bound for a moment, then let go.
        let bind = |_| std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners: Vec<_> = (0..3).map(bind).collect();
        let port = |l: &std::net::TcpListener| l.local_addr().unwrap().port();
        let ports = listeners.iter().map(port).collect();
        Cluster { folder, ports }
    }

    fn store(&self, id: u32) -> PathBuf {
        self.folder.join(format!("site-{id}"))
    }

    fn config(&self, id: u32) -> String {
        let address = |id: u32| format!("127.0.0.1:{}", self.ports[id as usize - 1]);
        let peers = (1..=3).filter(|peer| *peer != id);
        let peers: Vec<String> = peers.map(|p| format!("peer={p}@{}", address(p))).collect();
        format!(
            "id={id} listen={} {} store={} hello_interval_ms=100 suspect_after_ms=4000",
            address(id),
            peers.join(" "),
            self.store(id).display()
        )
    }

    fn start(&self, id: u32) -> Program {
        Program::start(&self.config(id))
    }

    /// All three, in one view, oldest first: of two sites the older one can go on without the other.
    fn run(&self) -> Vec<(u32, Program)> {
        let mut programs: Vec<(u32, Program)> = (1..=3).map(|id| (id, self.start(id))).collect();
        let views = programs.iter_mut().map(|(_, p)| p.view_by_age(&[1, 2, 3]));
        let (.., ages) = views.last().unwrap();
        programs.sort_by_key(|(id, _)| ages.iter().position(|old| old == id));
        programs
    }

    /// All three end, the youngest first, and each learns of the other's end before it does. The ids,
    /// oldest first, and what the last view was.
    fn end_one_by_one(&self, end: fn(Program)) -> ([u32; 3], u64, String) {
        let programs: [(u32, Program); 3] = self.run().try_into().ok().unwrap();
        let [(old, mut oldest), (middle, mut second), (young, third)] = programs;
        end(third);
        let mut two = [old, middle];
        two.sort();
        second.view_of(&two);
        end(second);
        let (number, epoch) = oldest.view_of(&[old]);
        end(oldest);
        ([old, middle, young], number, epoch)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn after_sigkill_of_all_they_go_on_with_the_next_number() {
    let cluster = Cluster::new("kill-all");
    let mut programs: Vec<Program> = (1..=3).map(|id| cluster.start(id)).collect();
    let views = programs.iter_mut().map(|p| p.view_of(&[1, 2, 3]));
    let (number, epoch) = views.last().unwrap();
    programs.into_iter().for_each(Program::kill);
    let mut programs: Vec<Program> = (1..=3).map(|id| cluster.start(id)).collect();
    for program in &mut programs {
        let (next, same) = program.view_of(&[1, 2, 3]);
        assert!(
            next > number && same == epoch,
            "{next} {same} after {number} {epoch}"
        );
    }
}

/// The youngest is killed first, the oldest last: the others wait for that one, and say so.
#[test]
fn the_last_to_fail_goes_on_and_the_log_names_it() {
    let cluster = Cluster::new("last");
    let ([old, middle, young], number, epoch) = cluster.end_one_by_one(Program::kill);
    let (mut second, mut third) = (cluster.start(middle), cluster.start(young));
    let line = second.says(&format!("to go on from there waits for site {old}"));
    assert!(line.contains(&format!("abandon={epoch}")), "{line}");
    third.says(&format!("waits for site {old}"));
    second.stays_without_view(Duration::from_secs(3));
    let mut first = cluster.start(old);
    assert_eq!(first.view_of(&[old]), (number + 1, epoch));
    for program in [&mut first, &mut second, &mut third] {
        program.view_of(&[1, 2, 3]);
    }
}

/// The same, and the last is lost for good.
#[test]
fn the_operator_may_say_that_the_last_are_lost() {
    let cluster = Cluster::new("abandon");
    let ([_, middle, young], _, epoch) = cluster.end_one_by_one(Program::kill);
    let word = |id| Program::start(&format!("{} abandon={epoch}", cluster.config(id)));
    let (mut second, mut third) = (word(middle), word(young));
    let mut two = [middle, young];
    two.sort();
    let (number, other) = second.view_of(&two);
    assert!(number == 0 && other != epoch);
    third.view_of(&two);
}

#[test]
fn after_a_clean_end_of_all_they_start_again() {
    let cluster = Cluster::new("clean");
    let (_, number, epoch) = cluster.end_one_by_one(Program::close);
    let mut programs: Vec<Program> = (1..=3).map(|id| cluster.start(id)).collect();
    for program in &mut programs {
        let (next, same) = program.view_of(&[1, 2, 3]);
        assert!(next > number && same == epoch);
    }
}

#[test]
fn a_store_in_use_is_refused_and_says_why() {
    let cluster = Cluster::new("busy");
    let mut first = cluster.start(1);
    first.says("opened");
    let mut config = Config::from_text(&cluster.config(1)).unwrap();
    config.listen = "127.0.0.1:0".into();
    let error = Site::open(config).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error}");
    first.kill();
    // The lock ends with the program, however that ends.
    cluster.start(1).says("opened");
}

/// A full disk, made by a limit on the size of files: the site halts, and nobody hears what it could not
/// write.
#[test]
fn a_site_whose_store_cannot_be_written_halts() {
    let cluster = Cluster::new("full");
    let [_first, (id, mut second), (_, third)]: [_; 3] = cluster.run().try_into().ok().unwrap();
    let log = cluster.store(id).join("site.log");
    let size = fs::metadata(&log).unwrap().len();
    let pid = second.child.id().to_string();
    let limit = format!("--fsize={size}");
    let limited = Command::new("prlimit")
        .args(["--pid", &pid, &limit])
        .status();
    assert!(limited.unwrap().success(), "prlimit of util-linux");
    // A change of the view has to be written.
    third.kill();
    second.says("cannot write");
    let ended = second.says("ended");
    assert!(ended.contains("site.log of the store"), "{ended}");
    assert_eq!(fs::metadata(&log).unwrap().len(), size);
}
