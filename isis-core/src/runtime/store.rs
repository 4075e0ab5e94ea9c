//! The store of a site on disk (R3): one file in a directory of its own.
//!
//! The file is a log. After a header that says whose it is, each record holds the whole of what the
//! view machine wants kept, so that the last good record is the state; the earlier ones are only there
//! because a record is written beside its predecessor, never over it. A record is a mark, the length and the
//! CRC-32 of what follows, and that. It is on disk when `append` returns.
//!
//! What may be wrong with the file when it is read:
//! - its end is no whole record: a write that a crash cut short, and that nobody was told of. It is
//!   dropped, with a line in the log. (The last record rotting away on the disk looks the same.)
//! - something before a good record is not good: the disk has lost what was on it. The site does not
//!   open: what it promised may be in what is gone.
//!
//! A new file replaces the old one by a rename when the site opens, and when the log has grown.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use log::{info, warn};

use super::clock;
use crate::config::Config;
use crate::error::Error;
use crate::ids::{Incarnation, SiteId};
use crate::view::Memory;

const MAGIC: &[u8; 8] = b"isis-log";
const VERSION: u8 = 1;
const MARK: &[u8; 4] = b"vote";
/// Before what a record holds: mark, length, CRC.
const RECORD_HEAD: usize = 12;
/// The log is written anew when it has grown beyond this.
const LIMIT: u64 = 1 << 20;

const LOG: &str = "site.log";
const NEW_LOG: &str = "site.log.new";
const LOCK: &str = "lock";

/// The open store of one running site. Nobody else can open it until it is dropped.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    header: Vec<u8>,
    log: File,
    length: u64,
    /// Locked as long as it is open.
    _lock: File,
}

impl Store {
    /// Opens the store in the configured directory, which is made if it does not exist, for the next
    /// incarnation of the site. That and what the store holds for it are on disk when this returns.
    pub(crate) fn open(config: &Config) -> Result<(Store, Incarnation, Memory), Error> {
        let directory = PathBuf::from(&config.store);
        make_directory(&directory)?;
        let lock = lock(&directory)?;
        let header = header(config);
        let found = match fs::read(directory.join(LOG)) {
            Ok(bytes) => read(&bytes, &header, &directory.join(LOG))?,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                info!("site {}: a new store in {}", config.id, config.store);
                Memory::default()
            }
            Err(e) => return Err(failure("read", &directory.join(LOG), &e)),
        };
        let incarnation = found.incarnation_after(clock::incarnation()?);
        let memory = found.open(config.id, incarnation);
        let (log, length) = write_anew(&directory, &header, &memory)?;
        let store = Store {
            directory,
            header,
            log,
            length,
            _lock: lock,
        };
        Ok((store, incarnation, memory))
    }

    /// Puts this in place of what the store held. After an error nothing is known of what is on disk,
    /// and the site must halt.
    pub(crate) fn append(&mut self, memory: &Memory) -> Result<(), Error> {
        if self.length > LIMIT {
            (self.log, self.length) = write_anew(&self.directory, &self.header, memory)?;
            return Ok(());
        }
        let record = record(memory);
        let written = self.log.write_all(&record);
        written
            .and_then(|()| self.log.sync_data())
            .map_err(|e| failure("write", &self.directory.join(LOG), &e))?;
        self.length += record.len() as u64;
        Ok(())
    }
}

fn make_directory(directory: &Path) -> Result<(), Error> {
    match fs::create_dir(directory) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(failure("make the directory", directory, &e)),
        Ok(()) => {
            let parent = directory.parent().filter(|p| !p.as_os_str().is_empty());
            sync_directory(parent.unwrap_or(Path::new(".")))
        }
    }
}

/// A name in a directory is on disk when the directory is.
fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(|e| failure("sync the directory", directory, &e))
}

fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|e| failure("open", &path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(format!(
            "another site has the store {} open: each site needs a directory of its own",
            directory.display()
        ))),
        Err(TryLockError::Error(e)) => Err(failure("lock", &path, &e)),
    }
}

/// Says whose store it is: a site that went on from another's would vote in its place.
fn header(config: &Config) -> Vec<u8> {
    let SiteId(id) = config.id;
    let mut header = [&MAGIC[..], &[VERSION], &id.to_le_bytes()].concat();
    // A cluster's name is at most 255 bytes, as `Config::validate` says.
    header.push(config.cluster.len() as u8);
    header.extend(config.cluster.as_bytes());
    header
}

fn record(memory: &Memory) -> Vec<u8> {
    let held = memory.encode();
    let length = u32::try_from(held.len()).expect("a few site views");
    let crc = crc32fast::hash(&held);
    [&MARK[..], &length.to_le_bytes(), &crc.to_le_bytes(), &held].concat()
}

/// Writes a file beside the old one, and puts it in its place when it is whole.
fn write_anew(directory: &Path, header: &[u8], memory: &Memory) -> Result<(File, u64), Error> {
    let (path, new) = (directory.join(LOG), directory.join(NEW_LOG));
    let bytes = [header, &record(memory)].concat();
    let mut log = File::create(&new).map_err(|e| failure("create", &new, &e))?;
    log.write_all(&bytes)
        .and_then(|()| log.sync_all())
        .map_err(|e| failure("write", &new, &e))?;
    fs::rename(&new, &path).map_err(|e| failure("put in place", &path, &e))?;
    sync_directory(directory)?;
    Ok((log, bytes.len() as u64))
}

/// What a log holds.
fn read(bytes: &[u8], header: &[u8], path: &Path) -> Result<Memory, Error> {
    let Some(mut rest) = bytes.strip_prefix(header) else {
        return Err(whose(bytes, path));
    };
    let mut last = None;
    while let Some((memory, after)) = first_record(rest) {
        last = Some(memory);
        rest = after;
    }
    let good = bytes.len() - rest.len();
    let marks = rest.windows(MARK.len()).enumerate();
    let mut later = marks.filter(|(_, window)| window == MARK);
    // Its first record was written with the file, which was put in place whole.
    let Some(last) = last.filter(|_| later.all(|(at, _)| first_record(&rest[at..]).is_none()))
    else {
        return Err(damaged(path, good));
    };
    if !rest.is_empty() {
        let (dropped, path) = (rest.len(), path.display());
        warn!("{path}: the last write was cut short by a crash: {dropped} bytes are dropped");
    }
    Ok(last)
}

/// A good record at the beginning of these bytes, and what comes after it.
fn first_record(bytes: &[u8]) -> Option<(Memory, &[u8])> {
    let (head, rest) = bytes.split_at_checked(RECORD_HEAD)?;
    let head = head.strip_prefix(MARK)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(head[4..].try_into().ok()?);
    let (held, rest) = rest.split_at_checked(length)?;
    let is_whole = crc32fast::hash(held) == crc;
    Some((Memory::decode(held).filter(|_| is_whole)?, rest))
}

fn whose(bytes: &[u8], path: &Path) -> Error {
    let path = path.display();
    Error::Protocol(match bytes.strip_prefix(MAGIC) {
        Some([VERSION, a, b, c, d, length, rest @ ..]) if rest.len() >= usize::from(*length) => {
            let id = u32::from_le_bytes([*a, *b, *c, *d]);
            let cluster = String::from_utf8_lossy(&rest[..usize::from(*length)]);
            format!(
                "{path} is the store of site {id} of the cluster {cluster:?}: give each site a \
                 directory of its own"
            )
        }
        Some([version, ..]) if *version != VERSION => {
            format!("{path} is a store of version {version}, this library knows version {VERSION}")
        }
        _ => format!("{path} is no store of a site"),
    })
}

fn damaged(path: &Path, at: usize) -> Error {
    let path = path.display();
    Error::Protocol(format!(
        "{path} is damaged at byte {at}: what this site promised may be lost, so it does not go on \
         from there. While the other sites of its last view run, move the directory away and open \
         the site with an empty one: they admit it as new. If they have all failed, let them go on \
         first, without this site"
    ))
}

fn failure(what: &str, path: &Path, cause: &dyn Display) -> Error {
    let path = path.display();
    Error::Io(format!("cannot {what} {path} of the store: {cause}"))
}

#[cfg(test)]
mod tests;
