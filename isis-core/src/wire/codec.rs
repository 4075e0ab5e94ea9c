//! Headers and control messages through `serde` and bincode; nothing else names bincode.
//!
//! bincode's limit counts bytes *claimed*: a string claims its length before it is allocated, and an
//! integer its full width, up to sixteen times what its shortest encoding takes. The limit therefore
//! follows the size of the input by that factor, so that a short input cannot announce a long string.
//! Sequences are safe by themselves: serde caps what it reserves ahead of the elements.

use alloc::vec::Vec;

use bincode::config::{Configuration, standard};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest input that is decoded at all.
const MAX_INPUT: usize = 16 << 20;

/// Why bytes were not decoded. The peer's fault, always; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// They are not an encoding of what was expected, or end too early.
    #[error("malformed")]
    Malformed,
    /// Something follows what was expected.
    #[error("trailing bytes")]
    Trailing,
    /// Longer than any such message may be.
    #[error("too long")]
    TooLong,
}

/// Encodes a value. Cannot fail for types built of integers, strings, sequences, options and enums,
/// and no others are sent.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, standard()).expect("a type that bincode can encode")
}

/// Decodes a value that fills all of `bytes`.
pub fn decode_exact<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, consumed) = decode_prefix(bytes)?;
    if consumed == bytes.len() {
        Ok(value)
    } else {
        Err(WireError::Trailing)
    }
}

/// Decodes a value from the beginning of `bytes`; returns how many of them it took.
pub fn decode_prefix<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), WireError> {
    let config = standard();
    match bytes.len() {
        0..=0x100 => decode_with(bytes, config.with_limit::<0x1000>()),
        0x101..=0x1000 => decode_with(bytes, config.with_limit::<0x1_0000>()),
        0x1001..=0x1_0000 => decode_with(bytes, config.with_limit::<0x10_0000>()),
        0x1_0001..=0x10_0000 => decode_with(bytes, config.with_limit::<0x100_0000>()),
        0x10_0001..=MAX_INPUT => decode_with(bytes, config.with_limit::<0x1000_0000>()),
        _ => Err(WireError::TooLong),
    }
}

fn decode_with<T, L>(
    bytes: &[u8],
    config: Configuration<bincode::config::LittleEndian, bincode::config::Varint, L>,
) -> Result<(T, usize), WireError>
where
    T: DeserializeOwned,
    Configuration<bincode::config::LittleEndian, bincode::config::Varint, L>:
        bincode::config::Config,
{
    bincode::serde::decode_from_slice(bytes, config).map_err(|_| WireError::Malformed)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use super::*;

    #[test]
    fn decode_inverts_encode() {
        let value = (7u64, Some(String::from("a label")), vec![u128::MAX; 40]);
        let bytes = encode(&value);
        assert_eq!(decode_exact(&bytes), Ok(value.clone()));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(decode_prefix(&longer), Ok((value, bytes.len())));
    }

    #[test]
    fn trailing_short_and_foreign_bytes_are_refused() {
        let bytes = encode(&(1u8, 2u64));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(decode_exact::<(u8, u64)>(&longer), Err(WireError::Trailing));
        assert_eq!(
            decode_exact::<(u8, u64)>(&bytes[..1]),
            Err(WireError::Malformed)
        );
        assert_eq!(decode_exact::<Option<u8>>(&[9]), Err(WireError::Malformed));
    }

    #[test]
    fn small_integers_do_not_exhaust_the_limit() {
        let value = vec![1u128; 200];
        let bytes = encode(&value);
        assert!(bytes.len() < 0x100);
        assert_eq!(decode_exact(&bytes), Ok(value));
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        // A string of 4 GiB announced in nine bytes; the elements of a sequence likewise.
        let announced = encode(&(u32::MAX as u64));
        assert_eq!(
            decode_exact::<String>(&announced),
            Err(WireError::Malformed)
        );
        assert_eq!(
            decode_exact::<Vec<u64>>(&announced),
            Err(WireError::Malformed)
        );
    }

    #[test]
    fn an_input_beyond_the_limit_is_refused() {
        assert_eq!(
            decode_prefix::<u8>(&vec![0; MAX_INPUT + 1]),
            Err(WireError::TooLong)
        );
    }
}
