//! The compiled kernel of Tally: the same calls, bytes and errors as the Python beside it.
//!
//! Each module is named as the Python one whose functions it stands for; the formats and the rules
//! are written there.  `chain/kernel.py` chooses between the two.  The interpreter's lock is let go
//! around the work, and nothing here panics on what it is given: lengths and pages are checked, and
//! errors are those of `keys/errors.py`.

#![forbid(unsafe_code)]

mod activities;
mod cbor;
mod digest;
mod errors;
mod lots;
mod merkle;
mod methodologies;
mod multiproofs;
mod pages;
mod reductions;
mod register;
mod spans;

use pyo3::prelude::*;

/// What this module offers: it changes with any call, and `chain/kernel.py` asks for its own.
const INTERFACE: u32 = 2;

#[pymodule]
fn carbon_tally_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", INTERFACE)?;
    module.add_function(wrap_pyfunction!(merkle::leaf_hashes, module)?)?;
    module.add_function(wrap_pyfunction!(merkle::pair_up, module)?)?;
    module.add_function(wrap_pyfunction!(merkle::root, module)?)?;
    module.add_function(wrap_pyfunction!(spans::make_line, module)?)?;
    module.add_function(wrap_pyfunction!(lots::build_nodes, module)?)?;
    module.add_function(wrap_pyfunction!(activities::reduce_lines, module)?)?;
    module.add_class::<methodologies::Plan>()?;
    module.add_class::<reductions::Reductions>()?;
    module.add_class::<register::Pages>()
}
