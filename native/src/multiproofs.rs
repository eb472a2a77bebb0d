//! Multiproofs (`chain/multiproofs.py`): which items the proof of some keys has.

use crate::errors::{Error, Result};
use crate::spans::Key;

/// A part of a tree, as a proof is made of it; `Whole` is the tree, which may read as it goes.
pub trait Subtree: Sized {
    type Whole;
    /// The least key below, or its prefix filled up with zeros.
    fn first(&self, whole: &mut Self::Whole) -> Result<Key>;
    /// What its node commits to for it.
    fn child(&self, whole: &mut Self::Whole) -> Result<Vec<u8>>;
    /// The bits of its top node and the two sides of it; None if it is one leaf.
    fn parts(&self, whole: &mut Self::Whole) -> Result<Option<(u8, Self, Self)>>;
}

/// The items of a multiproof: the child of a hidden subtree, or None for the next of the keys.
pub type Items = Vec<Option<Vec<u8>>>;

/// The items that a multiproof of `keys` (sorted) has, and the bits between them.
pub fn cover<S: Subtree>(whole: &mut S::Whole, top: S, keys: &[Key]) -> Result<(Items, Vec<u8>)> {
    let (mut items, mut bits) = (Items::new(), Vec::new());
    visit(whole, &top, keys, &mut items, &mut bits)?;
    Ok((items, bits))
}

fn visit<S: Subtree>(
    whole: &mut S::Whole,
    tree: &S,
    keys: &[Key],
    items: &mut Items,
    bits: &mut Vec<u8>,
) -> Result<()> {
    let Some(key) = keys.first() else {
        items.push(Some(tree.child(whole)?));
        return Ok(());
    };
    let Some((at, left, right)) = tree.parts(whole)? else {
        if keys.len() > 1 || tree.first(whole)? != *key {
            return Err(Error::KeyNotThere(key.to_vec()));
        }
        items.push(None);
        return Ok(());
    };
    let first = right.first(whole)?;
    let middle = keys.partition_point(|key| *key < first);
    visit(whole, &left, &keys[..middle], items, bits)?;
    bits.push(at);
    visit(whole, &right, &keys[middle..], items, bits)
}
