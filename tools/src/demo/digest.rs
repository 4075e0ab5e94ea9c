//! Digests of a replica, computed in the same way by the members in C and in Python.

use std::collections::BTreeMap;

/// CRC-32 as in zlib, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// One more item after those of `digest`: sensitive to order and to repetition.
pub fn chain(digest: u64, item: u64) -> u64 {
    digest
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(item)
        .wrapping_add(1)
}

/// Of a queue of numbered lines.
pub fn of_queue(queue: &[(u64, Vec<u8>)]) -> u64 {
    queue.iter().fold(0, |digest, (number, line)| {
        chain(chain(digest, *number), u64::from(crc32(line)))
    })
}

/// Of a tally, in the order of the words' bytes.
pub fn of_tally(tally: &BTreeMap<Vec<u8>, u64>) -> u64 {
    tally.iter().fold(0, |digest, (word, count)| {
        chain(chain(digest, u64::from(crc32(word))), *count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn order_repetition_and_text_count() {
        let line = |n: u64, text: &str| (n, text.as_bytes().to_vec());
        let queue = of_queue(&[line(0, "a"), line(1, "b")]);
        assert_ne!(queue, of_queue(&[line(1, "b"), line(0, "a")]));
        assert_ne!(queue, of_queue(&[line(0, "a"), line(1, "b"), line(1, "b")]));
        assert_ne!(queue, of_queue(&[line(0, "a"), line(1, "c")]));
    }
}
