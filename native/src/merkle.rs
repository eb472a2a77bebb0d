//! The log's Merkle tree (`chain/merkle.py`): RFC 9162, section 2.1.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::digest::{Hash, sha256};
use crate::errors::work;

pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[b"\0", data])
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[b"\x01", left, right])
}

/// The root of the tree over these leaves.
pub fn root_of(mut nodes: Vec<Hash>) -> Hash {
    if nodes.is_empty() {
        return sha256(&[]);
    }
    while nodes.len() > 1 {
        let above = nodes.chunks(2).map(|pair| match pair {
            [left, right] => node_hash(left, right),
            alone => alone[0],
        });
        nodes = above.collect();
    }
    nodes[0]
}

/// `leaf_hashes` of `chain/merkle.py`.
#[pyfunction]
pub fn leaf_hashes<'py>(
    py: Python<'py>,
    datas: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    let made = PyList::empty(py);
    for data in datas.try_iter()? {
        made.append(PyBytes::new(
            py,
            &leaf_hash(data?.cast::<PyBytes>()?.as_bytes()),
        ))?;
    }
    Ok(made)
}

/// `pair_up` of `chain/merkle.py`.
#[pyfunction]
pub fn pair_up<'py>(py: Python<'py>, nodes: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let nodes = hashes(nodes)?;
    let pairs = nodes.chunks_exact(2);
    PyList::new(
        py,
        pairs.map(|pair| PyBytes::new(py, &node_hash(&pair[0], &pair[1]))),
    )
}

/// `root` of `chain/merkle.py`.
#[pyfunction]
pub fn root<'py>(py: Python<'py>, leaves: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let leaves = hashes(leaves)?;
    Ok(PyBytes::new(py, &work(py, || Ok(root_of(leaves)))?))
}

fn hashes(nodes: &Bound<'_, PyAny>) -> PyResult<Vec<Hash>> {
    nodes
        .try_iter()?
        .map(|node| Ok(node?.cast::<PyBytes>()?.as_bytes().try_into()?))
        .collect()
}
