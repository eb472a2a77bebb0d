//! The reductions of a submission, all at once (`chain/reductions.py`).
//!
//! Only what is in the one form is read here; for all else the Python says what is wrong with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::cbor::{ARRAY, BYTES, Reader, TEXT, UNSIGNED, head};
use crate::digest::{Hash, sha256};
use crate::errors::work;
use crate::merkle::{leaf_hash, root_of};
use crate::methodologies::Plan;
use crate::pages::ITEM_SIZE;
use crate::spans::{KEY_SIZE, Line, key_of};

pub const FOREVER: u64 = i64::MAX as u64;
pub const CLAIMS_MAX: usize = 128;
const COUNT_MAX: usize = 65_536;
const GRAMS_MAX: u64 = (1 << 53) - 1;
const NAME_MAX: usize = 64;

/// A span on a line, or a seat that the rules choose.
#[derive(Clone)]
pub struct Claim {
    pub line: Line,
    pub span: Option<(u64, u64)>,
}

pub struct Reduction {
    /// Where its bytes stand in the file.
    item: Range<usize>,
    platform: Range<usize>,
    scenario: Range<usize>,
    pub version: u64,
    pub day: u16,
    pub grams: u64,
    pub claims: Range<usize>,
    leaf: Hash,
    holder: Hash,
}

/// What a reduction is made of.
pub struct Made<'a> {
    pub platform: &'a str,
    pub scenario: &'a str,
    pub version: u64,
    pub day: u16,
    pub grams: u64,
    pub claims: &'a [Claim],
    pub digest: &'a Hash,
}

/// The reductions of a file, by columns.
#[pyclass(frozen, module = "carbon_tally_native")]
#[derive(Default)]
pub struct Reductions {
    data: Vec<u8>,
    rows: Vec<Reduction>,
    claims: Vec<Claim>,
}

impl Reductions {
    /// Add one; None if it is longer than a reduction can be.
    pub fn push(&mut self, made: &Made<'_>) -> Option<()> {
        let at = self.data.len();
        let out = &mut self.data;
        out.extend([0, 0]);
        head(out, ARRAY, 8);
        head(out, UNSIGNED, 1);
        let platform = text(out, made.platform);
        let scenario = text(out, made.scenario);
        head(out, UNSIGNED, made.version);
        head(out, UNSIGNED, made.day.into());
        head(out, UNSIGNED, made.grams);
        head(out, ARRAY, made.claims.len() as u64);
        for claim in made.claims {
            head(out, ARRAY, if claim.span.is_some() { 4 } else { 2 });
            head(
                out,
                UNSIGNED,
                u64::from(u16::from_be_bytes([claim.line[0], claim.line[1]])),
            );
            head(out, BYTES, 22);
            out.extend(&claim.line[2..]);
            if let Some((start, end)) = claim.span {
                head(out, UNSIGNED, start);
                head(out, UNSIGNED, end);
            }
        }
        head(out, BYTES, 32);
        out.extend(made.digest);
        let item = at + 2..out.len();
        let Ok(size) = u16::try_from(item.len()) else {
            self.data.truncate(at);
            return None;
        };
        self.data[at..at + 2].copy_from_slice(&size.to_be_bytes());
        let claims = self.claims.len()..self.claims.len() + made.claims.len();
        self.claims.extend_from_slice(made.claims);
        let &Made {
            version,
            day,
            grams,
            ..
        } = made;
        let (leaf, holder) = hashes(&self.data[item.clone()]);
        let row = Reduction {
            item,
            platform,
            scenario,
            version,
            day,
            grams,
            claims,
            leaf,
            holder,
        };
        self.rows.push(row);
        Some(())
    }

    /// Read a file; None if not all of it is in the one form.
    fn read(data: &[u8]) -> Option<Reductions> {
        let mut made = Reductions {
            data: data.to_vec(),
            ..Reductions::default()
        };
        let mut at = 0;
        while at < data.len() {
            let size = usize::from(u16::from_be_bytes(data.get(at..at + 2)?.try_into().ok()?));
            let item = at + 2..at + 2 + size;
            data.get(item.clone())?;
            let row = made.read_one(Reader::new(data, item.clone()), item.clone())?;
            made.rows.push(row);
            at = item.end;
            if made.rows.len() > COUNT_MAX {
                return None;
            }
        }
        Some(made)
    }

    fn read_one(&mut self, mut from: Reader<'_>, item: Range<usize>) -> Option<Reduction> {
        if from.head(ARRAY)? != 8 || from.head(UNSIGNED)? != 1 {
            return None;
        }
        let (platform, scenario) = (from.bytes(TEXT)?, from.bytes(TEXT)?);
        for name in [&platform, &scenario] {
            is_slug(from.at(name)).then_some(())?;
        }
        let version = from.number(1, FOREVER)?;
        let day = u16::try_from(from.head(UNSIGNED)?).ok()?;
        let grams = from.number(1, GRAMS_MAX)?;
        let count = from.head(ARRAY)? as usize;
        if !(1..=CLAIMS_MAX).contains(&count) {
            return None;
        }
        let first = self.claims.len();
        for _ in 0..count {
            let fields = from.head(ARRAY)?;
            let mut line = Line::default();
            line[..2].copy_from_slice(&u16::try_from(from.head(UNSIGNED)?).ok()?.to_be_bytes());
            let id = from.bytes(BYTES)?;
            line[2..].copy_from_slice(
                from.at(&id)
                    .first_chunk::<22>()
                    .filter(|_| id.len() == 22)?,
            );
            let span = match fields {
                2 => None,
                4 => {
                    let start = from.number(0, FOREVER)?;
                    Some((start, from.number(start.checked_add(1)?, FOREVER)?))
                }
                _ => return None,
            };
            self.claims.push(Claim { line, span });
        }
        let digest = from.bytes(BYTES)?;
        if digest.len() != 32 || !from.is_done() {
            return None;
        }
        let claims = first..self.claims.len();
        let (leaf, holder) = hashes(&self.data[item.clone()]);
        Some(Reduction {
            item,
            platform,
            scenario,
            version,
            day,
            grams,
            claims,
            leaf,
            holder,
        })
    }

    fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(&self.data[range.clone()]).unwrap_or_default()
    }

    fn marked<'a>(&'a self, marked: &'a [bool]) -> impl Iterator<Item = &'a Reduction> {
        self.rows
            .iter()
            .zip(marked)
            .filter(|(_, marked)| **marked)
            .map(|(row, _)| row)
    }

    fn claims(&self, of: &Reduction) -> &[Claim] {
        &self.claims[of.claims.clone()]
    }

    /// Which reductions stand for themselves: what their methodology can give, of days that are
    /// open, their claims meeting no other of these.  For each the seats of its caps, or None.
    fn clear(
        &self,
        plans: &HashMap<u16, &Plan>,
        open: (i64, i64),
        dated: &[u8],
    ) -> Vec<Option<Vec<u32>>> {
        let is_open = |day: u16| (open.0..=open.1).contains(&i64::from(day));
        let fits = |row: &Reduction| {
            let claims = self.claims(row);
            // The day of a cap is the last of its period, and may well be to come.
            let is_in_time = claims
                .iter()
                .filter(|claim| claim.span.is_some())
                .all(|claim| {
                    let day = u16::from_be_bytes([claim.line[0], claim.line[1]]);
                    !dated.contains(&claim.line[2]) || (is_open(day) && day == row.day)
                });
            let plan = plans
                .get(&row.day)
                .filter(|_| is_open(row.day) && is_in_time)?;
            plan.allows(row, claims)
        };
        let mut clear: Vec<Option<Vec<u32>>> = self.rows.iter().map(fits).collect();
        let mut spans: Vec<(&Line, u64, u64, usize)> = Vec::with_capacity(self.claims.len());
        for (place, row) in self.rows.iter().enumerate() {
            for claim in self.claims(row) {
                // Where the rules choose a seat, they look at all that have it.
                let (start, end) = claim.span.unwrap_or((0, FOREVER));
                spans.push((&claim.line, start, end, place));
            }
        }
        spans.sort_unstable();
        let mut last: Option<(&Line, u64, usize)> = None;
        for (line, start, end, place) in spans {
            last = match last {
                Some((other, reached, before)) if other == line && reached > start => {
                    clear[place] = None;
                    clear[before] = None;
                    Some(if reached > end {
                        (line, reached, before)
                    } else {
                        (line, end, place)
                    })
                }
                _ => Some((line, end, place)),
            };
        }
        clear
    }
}

#[pymethods]
impl Reductions {
    /// The reductions of a file; None if the Python must say what is wrong with it.
    #[staticmethod]
    fn parse(py: Python<'_>, data: &[u8]) -> PyResult<Option<Reductions>> {
        work(py, || Ok(Reductions::read(data)))
    }

    fn __len__(&self) -> usize {
        self.rows.len()
    }

    /// The file.
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.data)
    }

    /// The bytes of one reduction.
    fn item<'py>(&self, py: Python<'py>, place: usize) -> Option<Bound<'py, PyBytes>> {
        self.rows
            .get(place)
            .map(|row| PyBytes::new(py, &self.data[row.item.clone()]))
    }

    /// All of them, each as the fields of a `Reduction`: those before its claims, these as line,
    /// start, end, and those after.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let claim = |of: &Claim| {
            let (start, end) = of.span.unzip();
            (PyBytes::new(py, &of.line), start, end)
        };
        let item = |row: &Reduction| {
            let (platform, scenario) = (self.text(&row.platform), self.text(&row.scenario));
            let data = &self.data[row.item.clone()];
            let digest = &data[data.len().saturating_sub(32)..];
            (
                (platform, scenario, row.version, row.day, row.grams),
                self.claims(row).iter().map(claim).collect::<Vec<_>>(),
                [digest, data, &row.leaf, &row.holder].map(|of| PyBytes::new(py, of)),
            )
        };
        PyList::new(py, self.rows.iter().map(item))
    }

    /// The root of the tree over them.
    fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let leaves = self.rows.iter().map(|row| row.leaf).collect();
        Ok(PyBytes::new(py, &work(py, || Ok(root_of(leaves)))?))
    }

    fn leaves<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.rows.iter().map(|row| PyBytes::new(py, &row.leaf)))
    }

    fn holders<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(
            py,
            self.rows.iter().map(|row| PyBytes::new(py, &row.holder)),
        )
    }

    fn days<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.rows.iter().map(|row| row.day))
    }

    fn grams<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.rows.iter().map(|row| row.grams))
    }

    /// Those marked, by their days: how many, their grams, and entries of a lot.
    fn by_day<'py>(
        &self,
        py: Python<'py>,
        marked: Vec<bool>,
    ) -> BTreeMap<u16, (u64, u128, Bound<'py, PyBytes>)> {
        let mut days: BTreeMap<u16, (u64, u128, Vec<u8>)> = BTreeMap::new();
        for row in self.marked(&marked) {
            let (count, grams, entries) = days.entry(row.day).or_default();
            *count += 1;
            *grams += u128::from(row.grams);
            entries.extend(row.leaf);
            entries.extend(row.grams.to_be_bytes());
        }
        let part = |(day, (count, grams, entries)): (u16, (u64, u128, Vec<u8>))| {
            (day, (count, grams, PyBytes::new(py, &entries)))
        };
        days.into_iter().map(part).collect()
    }

    /// The platforms and scenarios that they name.
    fn names(&self) -> BTreeSet<(&str, &str)> {
        let named = |row: &Reduction| (self.text(&row.platform), self.text(&row.scenario));
        let mut names = BTreeSet::new();
        let mut last = None;
        for name in self.rows.iter().map(named) {
            if last != Some(name) {
                names.insert(name);
            }
            last = Some(name);
        }
        names
    }

    /// Which reductions the rules can take without a look at each: those that their day's plan
    /// allows, of the days `open` (first, last), whose claims meet no other of these.  For each the
    /// seats of the caps that it claims one of, or None.  `dated`: the numbers of the classes whose
    /// lines are a day's.
    fn screen<'py>(
        &self,
        py: Python<'py>,
        plans: HashMap<u16, PyRef<'py, Plan>>,
        open: (i64, i64),
        dated: &[u8],
    ) -> PyResult<Vec<Option<Vec<u32>>>> {
        let plans: HashMap<u16, &Plan> = plans.iter().map(|(day, plan)| (*day, &**plan)).collect();
        work(py, || Ok(self.clear(&plans, open, dated)))
    }

    /// The spans that each of those marked claims: (line, start, end).
    fn wanted<'py>(&self, py: Python<'py>, marked: Vec<bool>) -> PyResult<Bound<'py, PyList>> {
        let list = |row: &Reduction| {
            let spans = self.claims(row).iter().filter_map(|claim| {
                let (start, end) = claim.span?;
                Some((PyBytes::new(py, &claim.line), start, end))
            });
            PyList::new(py, spans.collect::<Vec<_>>())
        };
        PyList::new(
            py,
            self.marked(&marked)
                .map(list)
                .collect::<PyResult<Vec<_>>>()?,
        )
    }

    /// The lines of caps on which each of those marked claims a seat.
    fn caps<'py>(&self, py: Python<'py>, marked: Vec<bool>) -> PyResult<Bound<'py, PyList>> {
        let list = |row: &Reduction| {
            let seats = self.claims(row).iter().filter(|claim| claim.span.is_none());
            PyList::new(
                py,
                seats
                    .map(|claim| PyBytes::new(py, &claim.line))
                    .collect::<Vec<_>>(),
            )
        };
        PyList::new(
            py,
            self.marked(&marked)
                .map(list)
                .collect::<PyResult<Vec<_>>>()?,
        )
    }

    /// The spans of those that are marked as the register's pages have them, key and item each;
    /// `seats`: which ones they got, in the order of `caps`.
    fn spans<'py>(
        &self,
        py: Python<'py>,
        marked: Vec<bool>,
        seats: Vec<u64>,
    ) -> Bound<'py, PyBytes> {
        let mut seats = seats.into_iter();
        let mut out = Vec::with_capacity(self.claims.len() * (KEY_SIZE + ITEM_SIZE));
        for row in self.marked(&marked) {
            for claim in self.claims(row) {
                let span = claim
                    .span
                    .or_else(|| seats.next().map(|seat| (seat, seat + 1)));
                if let Some((start, end)) = span {
                    out.extend(key_of(&claim.line, start));
                    out.extend(end.to_be_bytes());
                    out.extend(row.holder);
                }
            }
        }
        PyBytes::new(py, &out)
    }
}

fn text(out: &mut Vec<u8>, value: &str) -> Range<usize> {
    head(out, TEXT, value.len() as u64);
    out.extend(value.as_bytes());
    out.len() - value.len()..out.len()
}

fn hashes(item: &[u8]) -> (Hash, Hash) {
    let leaf = leaf_hash(item);
    (leaf, sha256(&[b"tally/holder/reduction/v1\n", &leaf]))
}

/// Whether a text is a name (`chain/classes.py`).
pub fn is_slug(name: &[u8]) -> bool {
    let is_part = |part: &[u8]| {
        !part.is_empty()
            && part
                .iter()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    name.len() <= NAME_MAX && name.split(|c| matches!(c, b'-' | b'.')).all(is_part)
}
