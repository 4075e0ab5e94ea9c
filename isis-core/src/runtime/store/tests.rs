use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{LIMIT, LOG, RECORD_HEAD, Store};
use crate::config::Config;
use crate::error::Error;
use crate::ids::{Incarnation, SiteId};
use crate::view::Memory;

/// A directory of its own for each test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("isis-store-{}-{n}", process::id()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn config(&self) -> Config {
        let mut config = Config::new(SiteId(7));
        config.store = self.0.join("store").to_str().unwrap().into();
        config
    }

    fn log(&self) -> PathBuf {
        self.0.join("store").join(LOG)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A value that differs from others.
fn memory(n: u64) -> Memory {
    Memory::default().open(SiteId(7), Incarnation(n))
}

/// What the log holds, and where it begins: a store with these values appended to the one of its opening.
fn written(scratch: &Scratch, values: &[u64]) -> Vec<u8> {
    let (mut store, ..) = Store::open(&scratch.config()).unwrap();
    for n in values {
        store.append(&memory(*n)).unwrap();
    }
    drop(store);
    fs::read(scratch.log()).unwrap()
}

/// The values of the log, without opening the store for another incarnation.
fn held(scratch: &Scratch) -> Result<Memory, Error> {
    let bytes = fs::read(scratch.log()).unwrap();
    super::read(&bytes, &super::header(&scratch.config()), &scratch.log())
}

#[test]
fn the_last_value_is_what_it_holds() {
    let scratch = Scratch::new();
    let (mut store, first, opened) = Store::open(&scratch.config()).unwrap();
    assert_eq!(held(&scratch), Ok(opened.clone()));
    store.append(&memory(1)).unwrap();
    store.append(&memory(2)).unwrap();
    assert_eq!(held(&scratch), Ok(memory(2)));
    store.append(&opened).unwrap();
    drop(store);
    let (_, second, again) = Store::open(&scratch.config()).unwrap();
    assert!(second > first);
    assert_eq!(again, opened.open(SiteId(7), second));
}

#[test]
fn an_incarnation_grows_even_if_the_clock_was_stepped_back() {
    let scratch = Scratch::new();
    let future = Incarnation(u64::MAX - 10);
    written(&scratch, &[future.0]);
    let (_, next, _) = Store::open(&scratch.config()).unwrap();
    assert_eq!(next.0, future.0 + 1);
}

#[test]
fn a_write_that_was_cut_short_is_dropped() {
    let scratch = Scratch::new();
    let before = written(&scratch, &[1]).len();
    let (mut store, ..) = Store::open(&scratch.config()).unwrap();
    store.append(&memory(1)).unwrap();
    let whole = fs::read(scratch.log()).unwrap().len();
    store.append(&memory(2)).unwrap();
    drop(store);
    let bytes = fs::read(scratch.log()).unwrap();
    assert!(before < bytes.len());
    for length in whole..bytes.len() {
        fs::write(scratch.log(), &bytes[..length]).unwrap();
        assert_eq!(held(&scratch), Ok(memory(1)), "{length} bytes");
    }
    // The file had got its length, and not yet all of what was written.
    let mut holes = bytes.clone();
    holes[whole + RECORD_HEAD..].fill(0);
    fs::write(scratch.log(), &holes).unwrap();
    assert_eq!(held(&scratch), Ok(memory(1)));
    // It opens, and what was dropped is gone for good.
    let (_, _, opened) = Store::open(&scratch.config()).unwrap();
    assert_eq!(held(&scratch), Ok(opened));
}

#[test]
fn damage_before_a_good_record_is_refused() {
    let scratch = Scratch::new();
    let opening = written(&scratch, &[]);
    let (mut store, ..) = Store::open(&scratch.config()).unwrap();
    store.append(&memory(1)).unwrap();
    let last = fs::read(scratch.log()).unwrap().len();
    store.append(&memory(2)).unwrap();
    drop(store);
    let bytes = fs::read(scratch.log()).unwrap();
    let header = super::header(&scratch.config()).len();
    assert!(header < opening.len());
    for at in header..last {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        fs::write(scratch.log(), &damaged).unwrap();
        let Err(Error::Protocol(text)) = Store::open(&scratch.config()).map(|_| ()) else {
            panic!("opened with byte {at} damaged");
        };
        assert!(text.contains("damaged") && text.contains("move the directory away"));
    }
}

#[test]
fn a_log_without_any_good_record_is_refused() {
    let scratch = Scratch::new();
    let bytes = written(&scratch, &[]);
    let header = super::header(&scratch.config()).len();
    for length in [header, header + 1, bytes.len() - 1] {
        fs::write(scratch.log(), &bytes[..length]).unwrap();
        assert!(matches!(held(&scratch), Err(Error::Protocol(_))));
    }
}

#[test]
fn a_store_of_another_is_refused() {
    let scratch = Scratch::new();
    let bytes = written(&scratch, &[]);
    let mut other = scratch.config();
    other.id = SiteId(8);
    for (config, words) in [
        (other, "site 7 of the cluster \"isis\""),
        (
            Config {
                cluster: "another".into(),
                ..scratch.config()
            },
            "site 7 of the cluster \"isis\"",
        ),
    ] {
        let error = Store::open(&config).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let mut later = bytes.clone();
    later[8] += 1;
    for (contents, words) in [
        (&later[..], "version 2"),
        (b"x", "no store"),
        (b"", "no store"),
    ] {
        fs::write(scratch.log(), contents).unwrap();
        let error = Store::open(&scratch.config()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn two_sites_cannot_share_a_store() {
    let scratch = Scratch::new();
    let open = Store::open(&scratch.config()).unwrap();
    let second = Store::open(&scratch.config()).map(|_| ());
    assert!(matches!(second, Err(Error::Busy(text)) if text.contains("directory of its own")));
    drop(open);
    Store::open(&scratch.config()).unwrap();
}

#[test]
fn a_log_that_has_grown_is_written_anew() {
    let scratch = Scratch::new();
    let (mut store, ..) = Store::open(&scratch.config()).unwrap();
    for n in 0..10 {
        store.append(&memory(n)).unwrap();
    }
    let grown = store.length;
    store.length = LIMIT + 1;
    store.append(&memory(10)).unwrap();
    assert!(store.length < grown);
    assert_eq!(held(&scratch), Ok(memory(10)));
    store.append(&memory(11)).unwrap();
    assert_eq!(held(&scratch), Ok(memory(11)));
    let on_disk = fs::metadata(scratch.log()).unwrap().len();
    assert_eq!(on_disk, store.length);
}

#[test]
fn a_store_that_cannot_be_made_is_an_error() {
    let scratch = Scratch::new();
    let mut config = scratch.config();
    config.store += "/below/what/is/not/there";
    let error = Store::open(&config).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, Error::Io(text) if text.contains("make the directory")),
        "{error}"
    );
}
