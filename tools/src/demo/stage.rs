//! One run: start, kill, restart, end.

use std::time::{Duration, Instant};

use super::Played;
use super::cast::{Cast, RESTARTED, VICTIM};
use super::record::Record;
use super::show::Show;
use crate::Outcome;
use crate::clock::monotonic_ns;
use crate::crew::{Crew, Said};

const SURVIVORS: [usize; 2] = [1, 2];

/// The running members and what they have said.
pub struct Stage<'a> {
    cast: &'a Cast,
    show: Show,
    deadline: Instant,
    crew: Crew,
    records: Vec<Record>,
    waiting_for: &'static str,
}

impl<'a> Stage<'a> {
    /// Starts the three members.
    pub fn new(cast: &'a Cast, show: Show, deadline: Instant) -> Outcome<Stage<'a>> {
        let mut stage = Stage {
            cast,
            show,
            deadline,
            crew: Crew::new(cast.folder().join("member")),
            records: Vec::new(),
            waiting_for: "the members to start",
        };
        for _ in 0..3 {
            stage.start()?;
        }
        Ok(stage)
    }

    fn start(&mut self) -> Outcome<()> {
        let mut command = self.cast.command(self.records.len());
        let place = self.crew.start(&mut command)?;
        self.records.push(Record::new(self.cast.site(place)));
        Ok(())
    }

    /// The whole run.
    pub fn play(&mut self) -> Outcome<Played> {
        self.until(
            "the view manager to be in the middle of its lines",
            |stage| {
                let (sent, of) = stage.records[VICTIM].sent;
                of > 0 && sent * 5 >= of * 2
            },
        )?;
        let killed_at = self.kill()?;
        let failover = self.failover(killed_at)?;
        self.start()?;
        self.show
            .say(&format!("site {} starts again", self.cast.site(VICTIM)));
        self.until("every line and word to be everywhere", |stage| {
            stage.present().all(|place| stage.records[place].complete)
        })?;
        self.reports()?;
        Ok(Played {
            records: std::mem::take(&mut self.records),
            failover,
        })
    }

    fn present(&self) -> impl Iterator<Item = usize> + use<> {
        SURVIVORS.into_iter().chain([RESTARTED])
    }

    /// Kills the view manager; checks that it is the view manager and had lines to send.
    fn kill(&mut self) -> Outcome<u64> {
        let victim = self.name(VICTIM);
        for place in SURVIVORS {
            let view = self.records[place].site_views.values().next_back();
            if view.and_then(|view| view.members.first()) != Some(&victim) {
                return Err(format!("site {victim} is not the oldest in {view:?}").into());
            }
        }
        let killed_at = monotonic_ns();
        self.crew.kill(VICTIM)?;
        self.until("the last words of the killed member", |stage| {
            stage.crew.ended(VICTIM)
        })?;
        // A member says `last` before it sends the last line of its share, and what it has said
        // survives it in the pipe: unsaid means unsent.
        let record = &self.records[VICTIM];
        if record.said_last {
            return Err("the view manager had sent all its lines before the kill".into());
        }
        let (sent, of) = record.sent;
        let program = self.cast.program(VICTIM);
        self.show.say(&format!(
            "SIGKILL to site {} ({program}, view manager), which had sent about {sent} of its {of} lines",
            record.site
        ));
        Ok(killed_at)
    }

    /// How long the later survivor was without a view that lacks the victim.
    fn failover(&mut self, killed_at: u64) -> Outcome<Duration> {
        let victim = self.name(VICTIM);
        let without = |record: &Record| {
            let mut views = record.views.values().filter(|v| v.at > killed_at);
            views
                .find(|view| !view.members.contains(&victim))
                .map(|view| view.at)
        };
        self.until("the survivors' view without the killed member", |stage| {
            SURVIVORS
                .iter()
                .all(|place| without(&stage.records[*place]).is_some())
        })?;
        let later = SURVIVORS
            .iter()
            .filter_map(|place| without(&self.records[*place]))
            .max();
        let failover = Duration::from_nanos(later.unwrap_or(killed_at) - killed_at);
        self.show.say(&format!(
            "both survivors have a view without it after {:.1} ms",
            failover.as_secs_f64() * 1000.0
        ));
        Ok(failover)
    }

    /// The member as it appears in views.
    fn name(&self, place: usize) -> String {
        format!(
            "{}.{}",
            self.records[place].site, self.records[place].incarnation
        )
    }

    /// Has every member leave its replica, and ends them.
    fn reports(&mut self) -> Outcome<()> {
        for place in self.present() {
            self.crew.tell(place, "report")?;
        }
        self.until("the members' reports", |stage| {
            stage
                .present()
                .all(|place| stage.records[place].digests.is_some())
        })?;
        for place in self.present() {
            self.records[place].read_replica(&self.cast.base(place))?;
            self.crew.tell(place, "quit")?;
        }
        self.until("the members to end", |stage| {
            stage.present().all(|place| stage.crew.ended(place))
        })?;
        for place in self.present() {
            let status = self.crew.wait(place)?;
            if !status.success() {
                return Err(format!("site {} ended with {status}", self.cast.site(place)).into());
            }
        }
        self.show.end();
        Ok(())
    }

    /// Takes in what the members say until something is so.
    fn until(&mut self, what: &'static str, done: impl Fn(&Stage) -> bool) -> Outcome<()> {
        self.waiting_for = what;
        while !done(self) {
            if Instant::now() >= self.deadline {
                return Err(format!("out of time, waiting for {what}").into());
            }
            match self.crew.hear(Instant::now() + Duration::from_millis(100)) {
                Some((place, Said::Line(line))) => self.records[place].take(&line),
                Some((place, Said::End)) => self.ended_early(place)?,
                None => {}
            }
            self.show.progress(&self.records);
        }
        Ok(())
    }

    fn ended_early(&mut self, place: usize) -> Outcome<()> {
        if place == VICTIM || self.records[place].digests.is_some() {
            return Ok(());
        }
        let status = self.crew.wait(place)?;
        Err(format!("site {} ended too early ({status})", self.cast.site(place)).into())
    }

    /// What every member was doing, for the message of a run that failed.
    pub fn state_of_things(&self) -> String {
        let mut text = format!("while waiting for {}:", self.waiting_for);
        for (place, record) in self.records.iter().enumerate() {
            text += &format!(
                "\nsite {} ({}): sent {} of {} lines; has {} lines, {} words; last view {:?}{}{}",
                record.site,
                self.cast.program(place),
                record.sent.0,
                record.sent.1,
                record.delivered.0,
                record.delivered.1,
                record
                    .views
                    .last_key_value()
                    .map(|(number, view)| (number, &view.members)),
                if record.complete { "; complete" } else { "" },
                if self.crew.ended(place) {
                    "; ended"
                } else {
                    ""
                },
            );
            for line in &record.strange {
                text += &format!("\n    said: {line}");
            }
            let complaints = self.crew.complaints(place);
            if !complaints.is_empty() {
                text += &format!("\n    {}", complaints.replace('\n', "\n    "));
            }
        }
        text
    }
}
