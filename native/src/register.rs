//! The pages of a register, as Python holds them: the class `Pages` of `chain/pages.py`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::errors::work;
use crate::multiproofs;
use crate::pages::{self, Change, End, ITEM_SIZE, Row};
use crate::spans::{KEY_SIZE, Key, LINE_SIZE, Line, key_of, uint};

/// The pages of a register; see `chain/pages.py`.
#[pyclass(module = "carbon_tally_native")]
pub struct Pages {
    pages: pages::Pages,
}

#[pymethods]
impl Pages {
    #[new]
    fn new(read: Py<PyAny>, items_max: usize, next_page: u64, cached_max: usize) -> PyResult<Self> {
        if items_max < 2 {
            return Err(PyValueError::new_err("items_max"));
        }
        let read = move |numbers: &[u64]| {
            Python::attach(|py| {
                let stored = read.bind(py).call1((numbers.to_vec(),))?;
                Ok(stored
                    .cast::<PyDict>()
                    .map_err(PyErr::from)?
                    .iter()
                    .map(stored_page)
                    .collect::<PyResult<_>>()?)
            })
        };
        let pages = pages::Pages::new(Box::new(read), items_max, next_page, cached_max);
        Ok(Pages { pages })
    }

    #[getter]
    fn next_page(&self) -> u64 {
        self.pages.next_page
    }

    fn overlapping<'py>(
        &mut self,
        py: Python<'py>,
        wanted: &Bound<'py, PyAny>,
        most: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let query = |item: PyResult<Bound<'py, PyAny>>| {
            let item = item?.cast_into::<PyTuple>()?;
            Ok((
                line(&item)?,
                item.get_item(1)?.extract()?,
                item.get_item(2)?.extract()?,
            ))
        };
        let wanted = wanted
            .try_iter()?
            .map(query)
            .collect::<PyResult<Vec<_>>>()?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let found = work(py, || self.pages.overlapping(&wanted, most))?;
        PyList::new(
            py,
            found
                .iter()
                .map(|rows| spans(py, rows))
                .collect::<PyResult<Vec<_>>>()?,
        )
    }

    fn before<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let key: Key = key.try_into()?;
        work(py, || self.pages.before(&key))?
            .map(|row| span(py, &row))
            .transpose()
    }

    fn following<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
        most: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let key: Key = key.try_into()?;
        spans(py, &work(py, || self.pages.following(&key, most))?)
    }

    #[pyo3(signature = (put, drop, rows=Default::default()))]
    fn change<'py>(
        &mut self,
        py: Python<'py>,
        put: &Bound<'py, PyAny>,
        drop: &Bound<'py, PyAny>,
        rows: &[u8],
    ) -> PyResult<()> {
        let mut changes: Vec<Change> = Vec::new();
        let (rows, rest) = rows.as_chunks::<{ KEY_SIZE + ITEM_SIZE }>();
        if !rest.is_empty() {
            return Err(PyValueError::new_err("rows"));
        }
        for row in rows {
            let (key, item) = row.split_at(KEY_SIZE);
            changes.push((key.try_into()?, Some(item.try_into()?)));
        }
        for span in put.try_iter()? {
            let span = span?.cast_into::<PyTuple>()?;
            let (key, mut item) = (key(&span)?, [0; ITEM_SIZE]);
            let end: u64 = span.get_item(2)?.extract()?;
            item[..8].copy_from_slice(&end.to_be_bytes());
            let holder: [u8; 32] = span.get_item(3)?.cast::<PyBytes>()?.as_bytes().try_into()?;
            item[8..].copy_from_slice(&holder);
            changes.push((key, Some(item)));
        }
        for span in drop.try_iter()? {
            changes.push((key(&span?.cast_into::<PyTuple>()?)?, None));
        }
        work(py, || {
            // Where one is removed and entered again, it is entered.
            changes.sort_by_key(|change| change.0);
            changes.dedup_by_key(|change| change.0);
            self.pages.change(&changes)
        })
    }

    fn root<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &work(py, || self.pages.root())?))
    }

    fn drain<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let drained = PyDict::new(py);
        for number in work(py, || self.pages.changed())? {
            let encode = |page: &pages::Page| {
                PyBytes::new_with(py, page.size(), |out| Ok(page.encode(out)?))
            };
            drained.set_item(number, self.pages.get(number).map(encode).transpose()?)?;
        }
        self.pages.shrink();
        Ok(drained)
    }

    fn archive<'py>(
        &mut self,
        py: Python<'py>,
        first: &[u8],
        last: &[u8],
        file: u64,
        most: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (first, last): (Key, Key) = (first.try_into()?, last.try_into()?);
        let data = work(py, || self.pages.archive(&first, &last, file, most))?;
        Ok(PyBytes::new(py, &data))
    }

    fn walk<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
        bits_max: u16,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let key: Key = key.try_into()?;
        let (steps, end) = work(py, || self.pages.walk(&key, bits_max))?;
        let bytes = |data: &[u8]| PyBytes::new(py, data);
        let end = match end {
            End::Leaf((key, item)) => (bytes(&key), bytes(&item)).into_pyobject(py)?,
            End::Inner(bits, key, left, right) => {
                (bits, bytes(&key), bytes(&left), bytes(&right)).into_pyobject(py)?
            }
        };
        let steps = steps.iter().map(|(bits, hash)| (*bits, bytes(hash)));
        (PyList::new(py, steps)?, end).into_pyobject(py)
    }

    fn cover<'py>(
        &mut self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let key =
            |key: PyResult<Bound<'py, PyAny>>| Ok(key?.cast::<PyBytes>()?.as_bytes().try_into()?);
        let keys = keys.try_iter()?.map(key).collect::<PyResult<Vec<Key>>>()?;
        let (items, bits) = work(py, || {
            let top = self.pages.top()?;
            multiproofs::cover(&mut self.pages, top, &keys)
        })?;
        let items = items
            .into_iter()
            .map(|item| item.map(|child| PyBytes::new(py, &child)));
        (
            PyList::new(py, items.collect::<Vec<_>>())?,
            PyBytes::new(py, &bits),
        )
            .into_pyobject(py)
    }
}

fn stored_page((number, data): (Bound<'_, PyAny>, Bound<'_, PyAny>)) -> PyResult<(u64, Vec<u8>)> {
    Ok((
        number.extract()?,
        data.cast::<PyBytes>()?.as_bytes().to_vec(),
    ))
}

fn line(span: &Bound<'_, PyTuple>) -> PyResult<Line> {
    Ok(span.get_item(0)?.cast::<PyBytes>()?.as_bytes().try_into()?)
}

fn key(span: &Bound<'_, PyTuple>) -> PyResult<Key> {
    Ok(key_of(&line(span)?, span.get_item(1)?.extract()?))
}

/// A row as the fields of a span: line, start, end, holder.
fn span<'py>(py: Python<'py>, (key, item): &Row) -> PyResult<Bound<'py, PyTuple>> {
    let (line, start) = (
        PyBytes::new(py, &key[..LINE_SIZE]),
        uint(&key[LINE_SIZE..KEY_SIZE]),
    );
    (line, start, uint(&item[..8]), PyBytes::new(py, &item[8..])).into_pyobject(py)
}

fn spans<'py>(py: Python<'py>, rows: &[Row]) -> PyResult<Bound<'py, PyList>> {
    PyList::new(
        py,
        rows.iter()
            .map(|row| span(py, row))
            .collect::<PyResult<Vec<_>>>()?,
    )
}
