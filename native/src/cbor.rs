//! Deterministic CBOR, as far as the kernel writes and reads it (RFC 8949, section 4.2).

use std::ops::Range;

use crate::spans::uint;

pub const UNSIGNED: u8 = 0;
pub const BYTES: u8 = 2;
pub const TEXT: u8 = 3;
pub const ARRAY: u8 = 4;

/// Write the head of an item: its major type, and its number or length in the shortest form.
pub fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..24 => out.push(major | value as u8),
        24..0x100 => out.extend([major | 24, value as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend((value as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend((value as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(value.to_be_bytes());
        }
    }
}

/// Reads items one after the other; None for any that is not in the shortest form, or not there.
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// A reader of a part of `data`, which must be there.
    pub fn new(data: &'a [u8], part: Range<usize>) -> Reader<'a> {
        Reader {
            data,
            at: part.start,
            end: part.end,
        }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.end)?;
        let taken = self.data.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// The number or length in the head of an item of this major type.
    pub fn head(&mut self, major: u8) -> Option<u64> {
        let first = *self.take(1)?.first()?;
        if first >> 5 != major {
            return None;
        }
        let size = match first & 31 {
            value @ 0..24 => return Some(value.into()),
            more @ 24..28 => 1usize << (more - 24),
            _ => return None,
        };
        let value = uint(self.take(size)?);
        let least = if size == 1 { 24 } else { 1u64 << (4 * size) };
        (value >= least).then_some(value)
    }

    /// An unsigned integer within bounds.
    pub fn number(&mut self, least: u64, most: u64) -> Option<u64> {
        self.head(UNSIGNED)
            .filter(|value| (least..=most).contains(value))
    }

    /// Where the bytes or the text of an item stand.
    pub fn bytes(&mut self, major: u8) -> Option<Range<usize>> {
        let size = usize::try_from(self.head(major)?).ok()?;
        self.take(size)?;
        Some(self.at - size..self.at)
    }

    /// What stands at a place that this reader has given.
    pub fn at(&self, range: &Range<usize>) -> &'a [u8] {
        self.data.get(range.clone()).unwrap_or_default()
    }

    pub fn is_done(&self) -> bool {
        self.at == self.end
    }
}
