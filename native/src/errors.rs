//! The errors of `keys/errors.py`, as Rust passes them on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use pyo3::types::PyDict;

pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong: one of our errors by its code, or what Python raised when it was asked.
#[derive(Debug)]
pub enum Error {
    /// A page is not as it was stored, or what was given has a wrong length.
    PageCorrupt,
    PageMissing(u64),
    SpanNotThere(Vec<u8>),
    KeyNotThere(Vec<u8>),
    LotBounds,
    LotKeyTwice,
    /// A mistake of the kernel itself.
    Panicked,
    Python(PyErr),
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Error::Python(error)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let (class, code, detail) = match error {
            Error::Python(error) => return error,
            Error::PageCorrupt => ("Fault", "page-corrupt", None),
            Error::PageMissing(page) => ("Fault", "page-missing", Some(("page", page.to_string()))),
            Error::SpanNotThere(key) => ("Fault", "span-not-there", Some(("key", hex(&key)))),
            Error::KeyNotThere(key) => ("Fault", "key-not-there", Some(("key", hex(&key)))),
            Error::LotBounds => ("VerificationError", "lot-bounds", None),
            Error::LotKeyTwice => ("VerificationError", "lot-key-twice", None),
            Error::Panicked => ("Fault", "kernel-panicked", None),
        };
        Python::attach(|py| raise(py, class, code, detail).unwrap_or_else(|error| error))
    }
}

fn raise(
    py: Python<'_>,
    class: &str,
    code: &str,
    detail: Option<(&str, String)>,
) -> PyResult<PyErr> {
    let details = PyDict::new(py);
    if let Some((name, value)) = detail {
        details.set_item(name, value)?;
    }
    let class = py.import("keys.errors")?.getattr(class)?;
    Ok(PyErr::from_value(class.call((code,), Some(&details))?))
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Do the work with the interpreter's lock let go; a panic becomes an error like the others.
pub fn work<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Panicked)))
        .map_err(PyErr::from)
}
