//! Who plays: the three members' programs, their configurations and files.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::text::Text;
use super::{Options, Victim};
use crate::Outcome;
use crate::crew::record_to;
use crate::ports;

/// The place of the victim: site 1. Sites of one first view are of one age, and of these the lowest
/// id counts as the oldest, so it is the view manager.
pub const VICTIM: usize = 0;

/// The place under which the victim's next incarnation plays.
pub const RESTARTED: usize = 3;

/// The programs and what they are told.
pub struct Cast {
    programs: [&'static str; 3],
    configurations: Vec<String>,
    folder: PathBuf,
    c_member: PathBuf,
    python: PathBuf,
    python_member: PathBuf,
    record: Option<PathBuf>,
}

impl Cast {
    /// Chooses addresses and writes the text where the members find it.
    pub fn new(options: &Options, text: &Text) -> Outcome<Cast> {
        let programs = match options.victim {
            Victim::C => ["C", "Python", "Python"],
            Victim::Python => ["Python", "C", "Python"],
        };
        let folder = std::env::temp_dir().join(format!("isis-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("text"), text.to_bytes())?;
        let cluster = format!("demo-{}", std::process::id());
        Ok(Cast {
            programs,
            configurations: ports::configurations(&ports::free_addresses(3)?, &cluster, ""),
            folder,
            c_member: options.c_member.clone(),
            python: options.python.clone(),
            python_member: options.python_member.clone(),
            record: options.record.clone(),
        })
    }

    /// The language of the member in this place.
    pub fn program(&self, place: usize) -> &'static str {
        self.programs[place % 3]
    }

    /// The site id of this place.
    pub fn site(&self, place: usize) -> usize {
        place % 3 + 1
    }

    /// Where the members leave their files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The base name of the files of this place.
    pub fn base(&self, place: usize) -> PathBuf {
        self.folder.join(format!("member{place}"))
    }

    /// The command line of the member in this place:
    /// `member CONFIGURATION TEXT PLACE SITES BASE start|resume`.
    pub fn command(&self, place: usize) -> Command {
        let mut command = if self.program(place) == "C" {
            Command::new(&self.c_member)
        } else {
            let mut command = Command::new(&self.python);
            command.arg(&self.python_member);
            command
        };
        record_to(&mut command, self.record.as_deref());
        command
            .arg(&self.configurations[place % 3])
            .arg(self.folder.join("text"))
            .arg((place % 3).to_string())
            .arg("3")
            .arg(self.base(place))
            .arg(if place == RESTARTED {
                "resume"
            } else {
                "start"
            });
        command
    }

    /// Removes the files.
    pub fn clean_up(&self) {
        // They are in the folder for temporary files; a failure to remove them changes no verdict.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
