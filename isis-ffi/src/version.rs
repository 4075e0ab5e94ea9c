//! The library's version, from the crate's.

use std::ffi::{c_char, c_int};

use crate::boundary::{accessor, boundary};
use crate::status::{Failure, ISIS_EVERSION, ISIS_OK};

const fn number(text: &str) -> u32 {
    let (mut n, mut at) = (0, 0);
    while at < text.len() {
        n = n * 10 + (text.as_bytes()[at] - b'0') as u32;
        at += 1;
    }
    n
}

const MAJOR: u32 = number(env!("CARGO_PKG_VERSION_MAJOR"));
const MINOR: u32 = number(env!("CARGO_PKG_VERSION_MINOR"));
const PATCH: u32 = number(env!("CARGO_PKG_VERSION_PATCH"));

/// The version of the library that the program runs with, as ISIS_VERSION_NUMBER has that of the
/// header it was compiled with: major * 65536 + minor * 256 + patch.
///
/// Thread: any; allowed inside a callback. Blocking: no.
#[unsafe(no_mangle)]
pub extern "C" fn isis_version_number() -> u32 {
    accessor(0, || MAJOR << 16 | MINOR << 8 | PATCH)
}

/// The same as text, as ISIS_VERSION has it.
///
/// Thread: any; allowed inside a callback. Blocking: no. Ownership: static text, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn isis_version_string() -> *const c_char {
    accessor(c"".as_ptr(), || {
        concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
    })
}

/// Whether the library can serve a program compiled with the header of version `header`
/// (ISIS_VERSION_NUMBER): the same major number, and for major 0 the same minor number, and not an
/// older library.
///
/// Thread: any; allowed inside a callback. Blocking: no.
/// Codes: ISIS_EVERSION it cannot: install the library that belongs to the header.
#[unsafe(no_mangle)]
pub extern "C" fn isis_version_check(header: u32) -> c_int {
    boundary(|| {
        let ours = isis_version_number();
        if serves(ours, header) {
            return Ok(ISIS_OK);
        }
        let (major, minor, patch) = (header >> 16, header >> 8 & 0xff, header & 0xff);
        let ours = env!("CARGO_PKG_VERSION");
        Err(Failure::new(
            ISIS_EVERSION,
            format!("compiled with the header of {major}.{minor}.{patch}, running with {ours}"),
        ))
    })
}

fn serves(library: u32, header: u32) -> bool {
    let first = if library >> 16 == 0 { 8 } else { 16 };
    library >> first == header >> first && header <= library
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_matching_header_is_served() {
        let version = |major: u32, minor: u32, patch: u32| major << 16 | minor << 8 | patch;
        assert!(serves(version(0, 3, 2), version(0, 3, 1)));
        assert!(!serves(version(0, 3, 2), version(0, 3, 3)));
        assert!(!serves(version(0, 3, 2), version(0, 2, 2)));
        assert!(serves(version(1, 3, 0), version(1, 2, 9)));
        assert!(!serves(version(1, 3, 0), version(1, 4, 0)));
        assert!(!serves(version(1, 3, 0), version(0, 3, 0)));
        let ours = isis_version_number();
        assert_eq!(isis_version_check(ours), ISIS_OK);
        assert_eq!(isis_version_check(ours + (1 << 16)), ISIS_EVERSION);
    }
}
