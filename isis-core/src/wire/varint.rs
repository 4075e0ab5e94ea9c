//! Unsigned numbers in as few bytes as they need: seven bits a byte, least significant first, the
//! top bit set on all but the last.

use alloc::vec::Vec;

use super::WireError;

/// Appends `value`.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number off the front of `bytes`.
pub(crate) fn take(bytes: &mut &[u8]) -> Result<u64, WireError> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if i == 9 && bits > 1 {
            break;
        }
        value |= bits << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Ok(value);
        }
    }
    Err(WireError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_inverts_put() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put(&mut out, value);
                let mut rest = &out[..];
                assert_eq!(take(&mut rest), Ok(value));
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn endless_and_overflowing_numbers_are_refused() {
        assert_eq!(take(&mut &[][..]), Err(WireError::Malformed));
        assert_eq!(take(&mut &[0x80, 0x80][..]), Err(WireError::Malformed));
        assert_eq!(take(&mut &[0x80; 20][..]), Err(WireError::Malformed));
        let mut overflow = [0xff; 10];
        overflow[9] = 2;
        assert_eq!(take(&mut &overflow[..]), Err(WireError::Malformed));
    }
}
