//! SHA-256 of short messages: put together on the stack and padded there, then compressed at once.

use sha2::Digest;
use sha2::block_api::compress256;

pub type Hash = [u8; 32];

const BLOCK: usize = 64;
/// The longest message that is put together on the stack; a node has 163 bytes at most.
const SHORT_MAX: usize = 4 * BLOCK - 9;
/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// SHA-256 of `parts`, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > SHORT_MAX {
        return long(parts);
    }
    let mut blocks = [[0u8; BLOCK]; 4];
    let message = blocks.as_flattened_mut();
    let mut at = 0;
    for part in parts {
        message[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    message[length] = 0x80;
    let count = (length + 9).div_ceil(BLOCK);
    message[count * BLOCK - 8..count * BLOCK].copy_from_slice(&(8 * length as u64).to_be_bytes());
    let mut state = INITIAL;
    compress256(&mut state, &blocks[..count]);
    let mut hash = Hash::default();
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

fn long(parts: &[&[u8]]) -> Hash {
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
