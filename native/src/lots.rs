//! The tree of a lot (`chain/lots.py`).

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::digest::sha256;
use crate::errors::{Error, Result, work};
use crate::spans::{Key, common_bits, node_hash, uint};

const NODE_TAG: u8 = 0x13;
const FOREVER: u64 = i64::MAX as u64;

/// `count (8) ‖ grams (8) ‖ hash`.
type Child = [u8; 48];

fn child(count: u64, grams: u64, hash: &[u8; 32]) -> Child {
    let mut child = [0; 48];
    child[..8].copy_from_slice(&count.to_be_bytes());
    child[8..16].copy_from_slice(&grams.to_be_bytes());
    child[16..].copy_from_slice(hash);
    child
}

struct Nodes {
    leaves: Vec<Child>,
    commons: Vec<u8>,
    /// The node that parts each leaf from the one before; the first has none.
    nodes: Vec<Option<Child>>,
    top: Child,
}

/// Build the tree over entries in the order of their keys.
fn build(entries: &[(Key, u64)]) -> Result<Nodes> {
    let total = entries
        .iter()
        .try_fold(0u64, |sum, (_, grams)| sum.checked_add(*grams));
    if total.is_none_or(|total| total > FOREVER) || entries.iter().any(|(_, grams)| *grams < 1) {
        return Err(Error::LotBounds);
    }
    let leaf = |(key, grams): &(Key, u64)| {
        child(1, *grams, &sha256(&[b"\x12", key, &grams.to_be_bytes()]))
    };
    let leaves: Vec<Child> = entries.iter().map(leaf).collect();
    let mut commons = vec![0];
    for pair in entries.windows(2) {
        let common = common_bits(&pair[0].0, &pair[1].0);
        commons.push(u8::try_from(common).map_err(|_| Error::LotKeyTwice)?);
    }
    let mut nodes = vec![None; entries.len()];
    // What stands to the left of nodes whose right side is not finished.
    let mut waiting: Vec<(usize, Child)> = Vec::new();
    let mut last = *leaves.first().ok_or(Error::LotBounds)?;
    for place in 1..=entries.len() {
        let until = commons.get(place);
        while let Some((at, left)) =
            waiting.pop_if(|(at, _)| until.is_none_or(|u| commons[*at] > *u))
        {
            let hash = node_hash(NODE_TAG, commons[at], &entries[at].0, &left, &last);
            let sum = |part: std::ops::Range<usize>| uint(&left[part.clone()]) + uint(&last[part]);
            last = child(sum(0..8), sum(8..16), &hash);
            nodes[at] = Some(last);
        }
        if let Some(leaf) = leaves.get(place) {
            waiting.push((place, last));
            last = *leaf;
        }
    }
    Ok(Nodes {
        leaves,
        commons,
        nodes,
        top: last,
    })
}

/// `build_nodes` of `chain/lots.py`.
#[pyfunction]
pub fn build_nodes<'py>(
    py: Python<'py>,
    entries: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyTuple>> {
    let entry = |item: PyResult<Bound<'py, PyAny>>| {
        let item = item?.cast_into::<PyTuple>()?;
        let key = item.get_item(0)?.cast::<PyBytes>()?.as_bytes().try_into()?;
        // What does not fit is out of bounds, as 0 is.
        let grams = item.get_item(1)?.extract::<u64>().unwrap_or(0);
        Ok((key, grams))
    };
    let entries: Vec<(Key, u64)> = entries.try_iter()?.map(entry).collect::<PyResult<_>>()?;
    let made = work(py, || build(&entries))?;
    let leaves = PyList::new(py, made.leaves.iter().map(|leaf| PyBytes::new(py, leaf)))?;
    let node = |node: &Option<Child>| PyBytes::new(py, node.as_ref().map_or(&[][..], |n| &n[..]));
    let nodes = PyList::new(py, made.nodes.iter().map(node))?;
    (
        leaves,
        PyBytes::new(py, &made.commons),
        nodes,
        PyBytes::new(py, &made.top),
    )
        .into_pyobject(py)
}
