//! Spans on lines, and how the register hashes them (`chain/spans.py`).

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::digest::{Hash, sha256};

pub const LINE_SIZE: usize = 24;
pub const KEY_SIZE: usize = 32;
pub const LINE_BITS: u8 = 192;
pub const EMPTY_ROOT: Hash = [0; 32];

pub type Line = [u8; LINE_SIZE];
pub type Key = [u8; KEY_SIZE];

pub fn leaf_hash(key: &Key, value: &Hash) -> Hash {
    sha256(&[b"\x10", key, value])
}

/// The hash of an inner node, from its children as it commits to them; `tag` tells the tree.
pub fn node_hash(tag: u8, bits: u8, key: &Key, left: &[u8], right: &[u8]) -> Hash {
    let size = usize::from(bits).div_ceil(8);
    let mut head = [0u8; 3 + KEY_SIZE];
    head[0] = tag;
    head[2] = bits;
    head[3..3 + size].copy_from_slice(&key[..size]);
    head[2 + size] &= last_mask(bits);
    sha256(&[&head[..3 + size], left, right])
}

/// What the last byte of a prefix keeps; nothing is taken off where it ends on a whole byte.
fn last_mask(bits: u8) -> u8 {
    match bits & 7 {
        0 => 0xff,
        rest => !(0xff >> rest),
    }
}

/// The key's first `bits` bits, filled up with zeros.
pub fn prefix_key(bits: u8, key: &Key) -> Key {
    let mut prefix = [0; KEY_SIZE];
    let size = usize::from(bits).div_ceil(8);
    prefix[..size].copy_from_slice(&key[..size]);
    if size > 0 {
        prefix[size - 1] &= last_mask(bits);
    }
    prefix
}

/// The greatest key with the first `bits` bits of `key`.
pub fn last_below(bits: u8, key: &Key) -> Key {
    let mut last = [0xff; KEY_SIZE];
    let whole = usize::from(bits >> 3);
    last[..whole].copy_from_slice(&key[..whole]);
    last[whole] = key[whole] | 0xff >> (bits & 7);
    last
}

/// The bit of `key` at `position`, counted from the most significant.
pub fn bit(key: &Key, position: u8) -> bool {
    key[usize::from(position >> 3)] >> (7 - (position & 7)) & 1 == 1
}

/// The length in bits of the longest common prefix; 256 if the keys are equal.
pub fn common_bits(one: &Key, other: &Key) -> u16 {
    for (word, (one, other)) in (0..).zip(one.chunks_exact(8).zip(other.chunks_exact(8))) {
        let (one, other) = (uint(one), uint(other));
        if one != other {
            return word * 64 + (one ^ other).leading_zeros() as u16;
        }
    }
    256
}

/// An unsigned integer of at most 8 bytes, big-endian.
pub fn uint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Whether `one` comes before `other`; most keys differ in their first bytes.
pub fn comes_before(one: &Key, other: &Key) -> bool {
    let (first, second) = (uint(&one[..8]), uint(&other[..8]));
    first < second || (first == second && one[8..] < other[8..])
}

/// The key of a span.
pub fn key_of(line: &Line, start: u64) -> Key {
    let mut key = [0; KEY_SIZE];
    key[..LINE_SIZE].copy_from_slice(line);
    key[LINE_SIZE..].copy_from_slice(&start.to_be_bytes());
    key
}

/// Whether `key` begins with the first `bits` bits of `top`.
pub fn is_below(key: &Key, bits: u8, top: &Key) -> bool {
    common_bits(key, top) >= u16::from(bits)
}

/// `make_line` of `chain/spans.py`.
#[pyfunction]
#[pyo3(signature = (class_number, parts, day=None))]
pub fn make_line<'py>(
    py: Python<'py>,
    class_number: u8,
    parts: Vec<String>,
    day: Option<u16>,
) -> Bound<'py, PyBytes> {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    PyBytes::new(py, &line(class_number, &parts, day))
}

/// The 24 bytes of a line; `day` is None on lines that are not dated.
pub fn line(class_number: u8, parts: &[&str], day: Option<u16>) -> Line {
    let mut named = Vec::with_capacity(128);
    named.extend(b"tally/line/v1\n");
    crate::cbor::head(&mut named, crate::cbor::ARRAY, parts.len() as u64);
    for part in parts {
        crate::cbor::head(&mut named, crate::cbor::TEXT, part.len() as u64);
        named.extend(part.as_bytes());
    }
    if let Some(day) = day {
        named.extend(day.to_be_bytes());
    }
    let mut line = [0; LINE_SIZE];
    line[..2].copy_from_slice(&day.unwrap_or(0).to_be_bytes());
    line[2] = class_number;
    line[3..].copy_from_slice(&sha256(&[&named])[..21]);
    line
}
