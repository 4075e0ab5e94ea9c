//! Arguments from C, checked: NULL gives a code, never a crash.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::slice;
use std::time::Duration;

use bytes::Bytes;

use crate::status::{Failure, ISIS_EMSGSIZE, ISIS_ENAME, ISIS_EVERSION};

/// One piece of a message that is gathered; the layout of POSIX's `struct iovec`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct isis_iovec {
    /// Where it begins; may be NULL if `len` is 0.
    pub base: *const c_void,
    /// How many bytes it has.
    pub len: usize,
}

/// # Safety
/// NULL, or valid for reading a `T`.
pub(crate) unsafe fn refer<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::invalid(format!("{what} is NULL")))
}

/// # Safety
/// NULL, or valid for writing a `T`. Nothing is read, so what is there need not be initialized.
pub(crate) unsafe fn give<T>(out: *mut T, value: T, what: &str) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::invalid(format!("{what} is NULL")));
    }
    // SAFETY: the caller's promise.
    unsafe { out.write(value) };
    Ok(())
}

/// Refuses a NULL place for a result before anything has been started.
pub(crate) fn present<T>(out: *mut T, what: &str) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::invalid(format!("{what} is NULL")));
    }
    Ok(())
}

/// # Safety
/// NULL, or a NUL-terminated string.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(pointer, what) }?
        .ok_or_else(|| Failure::invalid(format!("{what} is NULL")))
}

/// # Safety
/// NULL, or a NUL-terminated string.
pub(crate) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str()
        .map(Some)
        .map_err(|_| Failure::new(ISIS_ENAME, format!("{what} is not UTF-8")))
}

/// # Safety
/// NULL with a count of 0, or `count` valid values.
pub(crate) unsafe fn list<'a, T>(
    pointer: *const T,
    count: usize,
    what: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() || count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Failure::invalid(format!(
            "{what} is NULL, or too long a list"
        )));
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// A copy of the application's bytes.
///
/// # Safety
/// NULL with a length of 0, or `len` valid bytes.
pub(crate) unsafe fn payload(data: *const c_void, len: usize) -> Result<Bytes, Failure> {
    // SAFETY: the caller's promise.
    let data = unsafe { list(data.cast::<u8>(), len, "data") }?;
    Ok(Bytes::copy_from_slice(data))
}

/// A copy of the application's pieces, in their order.
///
/// # Safety
/// As for [`list`], and the same for each piece.
pub(crate) unsafe fn gathered(pieces: *const isis_iovec, count: usize) -> Result<Bytes, Failure> {
    // SAFETY: the caller's promise.
    let pieces = unsafe { list(pieces, count, "the iovec") }?;
    let total = pieces
        .iter()
        .try_fold(0usize, |sum, p| sum.checked_add(p.len));
    let total = total.filter(|total| *total <= isize::MAX as usize);
    let Some(total) = total else {
        return Err(Failure::new(ISIS_EMSGSIZE, "the pieces' sum overflows"));
    };
    let mut bytes = Vec::with_capacity(total);
    for piece in pieces {
        // SAFETY: the caller's promise.
        bytes.extend_from_slice(unsafe {
            list(piece.base.cast::<u8>(), piece.len, "a piece of the iovec")
        }?);
    }
    Ok(bytes.into())
}

/// `timeout_ms` as the core has it: -1 (any negative) waits for ever.
pub(crate) fn timeout(timeout_ms: c_int) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}

/// A struct of the caller's as this library knows it. An older program's is shorter and gets the
/// defaults for the rest; a newer program's is refused rather than half understood.
///
/// # Safety
/// NULL, or a struct that begins with its `size_t struct_size` and is that long.
pub(crate) unsafe fn sized<T>(
    pointer: *const T,
    default: T,
    least: usize,
    what: &str,
) -> Result<T, Failure> {
    // SAFETY: the struct begins with its size.
    let size = *unsafe { refer(pointer.cast::<usize>(), what) }?;
    if size < least {
        return Err(Failure::invalid(format!(
            "{what}.struct_size is {size}; set it with the struct's _init function"
        )));
    }
    if size > size_of::<T>() {
        return Err(Failure::new(
            ISIS_EVERSION,
            format!(
                "{what} has {size} bytes, this library knows {}: the header is newer than the library",
                size_of::<T>()
            ),
        ));
    }
    let mut known = default;
    // SAFETY: `size` bytes are the caller's, and no more than a T has.
    unsafe {
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), (&raw mut known).cast::<u8>(), size);
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use std::ptr::null;

    use super::*;
    use crate::status::ISIS_EINVAL;

    #[repr(C)]
    struct Options {
        struct_size: usize,
        old: u64,
        new: u64,
    }

    fn options(struct_size: usize) -> Options {
        Options {
            struct_size,
            old: 1,
            new: 2,
        }
    }

    fn read(struct_size: usize) -> Result<Options, Failure> {
        let default = Options {
            struct_size: 0,
            old: 8,
            new: 9,
        };
        // SAFETY: sizes above the struct's are refused before anything is read.
        unsafe { sized(&options(struct_size), default, 16, "options") }
    }

    #[test]
    fn an_older_programs_struct_gets_defaults_for_what_it_lacks() {
        let known = read(16).unwrap();
        assert_eq!((known.old, known.new), (1, 9));
        let known = read(24).unwrap();
        assert_eq!((known.old, known.new), (1, 2));
    }

    #[test]
    fn an_unset_size_and_a_newer_header_are_told_apart() {
        assert_eq!(read(0).err().unwrap().code, ISIS_EINVAL);
        assert_eq!(read(32).err().unwrap().code, ISIS_EVERSION);
    }

    #[test]
    fn pieces_are_gathered_in_order_and_null_is_refused() {
        let piece = |bytes: &[u8]| isis_iovec {
            base: bytes.as_ptr().cast(),
            len: bytes.len(),
        };
        let empty = isis_iovec {
            base: null(),
            len: 0,
        };
        let wild = isis_iovec {
            base: null(),
            len: 3,
        };
        let huge = isis_iovec {
            base: b"x".as_ptr().cast(),
            len: usize::MAX,
        };
        // SAFETY: valid pieces; wild and huge ones are refused before they are read.
        unsafe {
            let pieces = [piece(b"ab"), empty, piece(b"c")];
            assert_eq!(gathered(pieces.as_ptr(), 3).unwrap(), "abc");
            assert_eq!(gathered(null(), 0).unwrap(), "");
            assert_eq!(gathered(null(), 1).err().unwrap().code, ISIS_EINVAL);
            assert_eq!(
                gathered([wild].as_ptr(), 1).err().unwrap().code,
                ISIS_EINVAL
            );
            let sum = gathered([huge, huge].as_ptr(), 2);
            assert_eq!(sum.err().unwrap().code, ISIS_EMSGSIZE);
        }
    }

    #[test]
    fn names_are_checked() {
        // SAFETY: NUL-terminated, or NULL.
        unsafe {
            assert_eq!(text(c"abc".as_ptr(), "name").unwrap(), "abc");
            assert_eq!(text(null(), "name").err().unwrap().code, ISIS_EINVAL);
            let bad = c"\xff".as_ptr();
            assert_eq!(text(bad, "name").err().unwrap().code, ISIS_ENAME);
        }
    }
}
