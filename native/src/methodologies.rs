//! Methodologies, compiled: what their reductions may be, and what activities earn
//! (`chain/methodologies.py`, `chain/formulas.py`).
//!
//! Seats are asked for here, and given by the Python; to it is left whatever is refused.

use std::collections::{HashMap, HashSet};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::activities::{Activity, Value, digest, is_hex, time};
use crate::reductions::{CLAIMS_MAX, Claim, FOREVER, Made, Reduction, Reductions, is_slug};
use crate::spans::line;

const DAY_SECONDS: i64 = 86_400;
const DAY_MAX: i64 = 65_535;

/// A field, and its text by the time of day: rows of (from, until, text), in seconds.
type Slots = (String, Vec<(i64, i64, String)>);

/// A plan, as `Methodology.plan` of the Python describes it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Spec<'py> {
    version: u64,
    offset: i64,
    grams: (u64, u64),
    duration: (i64, i64),
    tiers: HashSet<String>,
    quantities: HashMap<String, (i64, i64)>,
    formula: Bound<'py, PyAny>,
    tables: HashMap<String, Bound<'py, PyDict>>,
    slots: Option<Slots>,
    templates: Vec<Template>,
}

/// One claim that a methodology demands.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Template {
    number: u8,
    axis: String,
    longest: i64,
    seconds: Option<i64>,
    guard: i64,
    seats: u32,
    optional: Option<String>,
    parts: Vec<String>,
    grammars: Vec<String>,
    issuers: HashSet<String>,
}

struct Table {
    by: Vec<String>,
    rows: HashMap<Vec<String>, Decimal>,
}

/// `number / 10^scale`, exactly.
#[derive(Clone, Copy)]
struct Decimal {
    number: i128,
    scale: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let number = format!("{whole}{fraction}").parse().ok()?;
        Some(Decimal {
            number,
            scale: fraction.len().try_into().ok()?,
        })
    }

    fn scaled(self, scale: u32) -> Option<i128> {
        self.number
            .checked_mul(10i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    fn add(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let number = self.scaled(scale)?.checked_add(other.scaled(scale)?)?;
        Some(Decimal { number, scale })
    }

    fn multiply(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.checked_add(other.scale)?;
        Some(Decimal {
            number: self.number.checked_mul(other.number)?,
            scale,
        })
    }

    fn negate(self) -> Decimal {
        Decimal {
            number: -self.number,
            ..self
        }
    }

    fn floor(self) -> Option<i128> {
        Some(self.number.div_euclid(10i128.checked_pow(self.scale)?))
    }
}

enum Formula {
    Constant(Decimal),
    Quantity(String),
    Duration,
    Lookup(Table),
    Sum(Vec<Formula>),
    Product(Vec<Formula>),
    Difference(Box<[Formula; 2]>),
}

impl Formula {
    fn read(source: &Bound<'_, PyAny>, spec: &Spec<'_>) -> PyResult<Formula> {
        let wrong = || PyValueError::new_err("formula");
        if let Ok(text) = source.cast::<PyString>() {
            return Ok(Formula::Constant(
                Decimal::parse(&text.to_cow()?).ok_or_else(wrong)?,
            ));
        }
        let node: HashMap<String, Bound<'_, PyAny>> = source.extract()?;
        let (operation, argument) = node.into_iter().next().ok_or_else(wrong)?;
        let parts = || -> PyResult<Vec<Formula>> {
            argument
                .try_iter()?
                .map(|part| Formula::read(&part?, spec))
                .collect()
        };
        Ok(match operation.as_str() {
            "quantity" => Formula::Quantity(argument.extract()?),
            "duration" => Formula::Duration,
            "lookup" => {
                let table = spec
                    .tables
                    .get(&argument.extract::<String>()?)
                    .ok_or_else(wrong)?;
                Formula::Lookup(Table::read(table)?)
            }
            "sum" => Formula::Sum(parts()?),
            "product" => Formula::Product(parts()?),
            _ => Formula::Difference(Box::new(parts()?.try_into().map_err(|_| wrong())?)),
        })
    }

    fn value(&self, of: &Activity<'_>, year: &str) -> Option<Decimal> {
        match self {
            Formula::Constant(value) => Some(*value),
            Formula::Quantity(name) => Some(whole(of.fields.object("quantities")?.integer(name)?)),
            Formula::Duration => Some(whole(of.end - of.start)),
            Formula::Lookup(table) => table.look_up(of, year),
            Formula::Sum(parts) => parts
                .iter()
                .try_fold(whole(0), |sum, part| sum.add(part.value(of, year)?)),
            Formula::Product(parts) => parts
                .iter()
                .try_fold(whole(1), |made, part| made.multiply(part.value(of, year)?)),
            Formula::Difference(parts) => parts[0]
                .value(of, year)?
                .add(parts[1].value(of, year)?.negate()),
        }
    }
}

fn whole(number: i64) -> Decimal {
    Decimal {
        number: number.into(),
        scale: 0,
    }
}

impl Table {
    fn read(table: &Bound<'_, PyDict>) -> PyResult<Table> {
        let wrong = || PyValueError::new_err("table");
        let by = table.get_item("by")?.ok_or_else(wrong)?.extract()?;
        let mut rows = HashMap::new();
        for row in table.get_item("rows")?.ok_or_else(wrong)?.try_iter()? {
            let mut cells: Vec<String> = row?.extract()?;
            let value = cells
                .pop()
                .and_then(|cell| Decimal::parse(&cell))
                .ok_or_else(wrong)?;
            rows.insert(cells, value);
        }
        Ok(Table { by, rows })
    }

    fn look_up(&self, of: &Activity<'_>, year: &str) -> Option<Decimal> {
        let attributes = of.fields.object("attributes");
        let cell = |field: &String| match field.as_str() {
            "tier" => of.tier,
            "year" => year,
            name => attributes
                .and_then(|given| given.text(name))
                .unwrap_or_default(),
        };
        let key: Vec<String> = self.by.iter().map(|field| cell(field).to_owned()).collect();
        self.rows.get(&key).copied()
    }
}

/// A methodology as it is on one day.
#[pyclass(frozen, module = "carbon_tally_native")]
pub struct Plan {
    version: u64,
    offset: i64,
    year: String,
    /// The last day of each period that holds the day.
    ends: HashMap<String, u16>,
    grams: (u64, u64),
    duration: (i64, i64),
    tiers: HashSet<String>,
    quantities: HashMap<String, (i64, i64)>,
    formula: Formula,
    slots: Option<Slots>,
    templates: Vec<Template>,
}

#[pymethods]
impl Plan {
    /// `year`: of the day, as tables look it up; `ends`: the last day of each period that holds it.
    #[new]
    fn new(spec: Bound<'_, PyDict>, year: String, ends: HashMap<String, u16>) -> PyResult<Plan> {
        let spec: Spec<'_> = spec.extract()?;
        let formula = Formula::read(&spec.formula, &spec)?;
        let Spec {
            version,
            offset,
            grams,
            duration,
            tiers,
            quantities,
            slots,
            templates,
            ..
        } = spec;
        Ok(Plan {
            version,
            offset,
            year,
            ends,
            grams,
            duration,
            tiers,
            quantities,
            formula,
            slots,
            templates,
        })
    }
}

impl Plan {
    fn midnight(&self, day: i64) -> i64 {
        day * DAY_SECONDS - self.offset
    }

    fn day(&self, time: i64) -> i64 {
        (time + self.offset).div_euclid(DAY_SECONDS)
    }

    /// The seats of each cap that the reduction claims one of, in their order; None unless it is one
    /// that the methodology can give (`check`).
    pub fn allows(&self, of: &Reduction, claims: &[Claim]) -> Option<Vec<u32>> {
        let is_right =
            of.version == self.version && (self.grams.0..=self.grams.1).contains(&of.grams);
        is_right.then(|| self.matches(of, claims)).flatten()
    }

    fn matches(&self, of: &Reduction, claims: &[Claim]) -> Option<Vec<u32>> {
        let (mut left, mut seats) = (claims, Vec::new());
        let (mut start, mut end) = (None, None);
        for template in &self.templates {
            let is_of = |claim: &&Claim| claim.line[2] == template.number;
            let Some(claim) = left.first().filter(is_of) else {
                template.optional.as_ref()?;
                continue;
            };
            left = &left[1..];
            if template.axis == "seats" {
                let last = i64::from(*self.ends.get(template.parts.get(1)?)?);
                (claim.span.is_none() && day_of(claim) == last).then_some(())?;
                seats.push(template.seats);
                continue;
            }
            let (first, mut last) = self.span(template, claim)?;
            if template.axis == "whole" {
                continue;
            }
            // A following piece of the same span begins at the midnight that ended this one.
            while let Some(piece) = left.first().filter(is_of) {
                let from = i64::try_from(piece.span?.0).ok()?;
                if from != last || last != self.midnight(day_of(piece)) {
                    break;
                }
                (_, last) = self.span(template, piece)?;
                left = &left[1..];
            }
            let bounds = template
                .seconds
                .map_or(self.duration, |seconds| (seconds, seconds));
            let (event_start, event_end) = (first + template.guard, last - template.guard);
            let is_right = (bounds.0..=bounds.1).contains(&(event_end - event_start))
                && *start.get_or_insert(event_start) == event_start
                && (template.seconds.is_some() || *end.get_or_insert(event_end) == event_end)
                && last - first <= template.longest
                && self.day(event_start) == i64::from(of.day);
            is_right.then_some(())?;
        }
        let lines: HashSet<_> = claims.iter().map(|claim| claim.line).collect();
        (left.is_empty() && lines.len() == claims.len()).then_some(seats)
    }

    /// The span of a claim, if its class allows it.
    fn span(&self, template: &Template, claim: &Claim) -> Option<(i64, i64)> {
        let (start, end) = claim.span?;
        let (start, end) = (i64::try_from(start).ok()?, i64::try_from(end).ok()?);
        let day = day_of(claim);
        let within = match template.axis.as_str() {
            "seconds" => self.midnight(day) <= start && end <= self.midnight(day + 1),
            "whole" => day == 0 && start == 0 && end == FOREVER as i64,
            _ => false,
        };
        (within && start < end && end - start <= template.longest).then_some((start, end))
    }

    /// Add the reduction of an activity; None if it earns none.
    pub fn reduce(
        &self,
        of: &Activity<'_>,
        platform: &str,
        day: u16,
        made: &mut Reductions,
    ) -> Option<()> {
        let quantity = |name: &str| of.fields.object("quantities")?.integer(name);
        let counts = self.tiers.contains(of.tier)
            && (self.duration.0..=self.duration.1).contains(&(of.end - of.start))
            && self.quantities.iter().all(|(name, (least, most))| {
                quantity(name).is_some_and(|given| (*least..=*most).contains(&given))
            });
        if !counts {
            return None;
        }
        let grams = self.formula.value(of, &self.year)?.floor()?;
        let grams = u64::try_from(grams).ok().filter(|grams| *grams >= 1)?;
        let mut claims = Vec::with_capacity(4);
        for template in &self.templates {
            let is_asked = |field: &String| of.fields.get(field).is_some();
            if template.optional.as_ref().is_none_or(is_asked) {
                self.claim(template, of, &mut claims)?;
            }
        }
        let (scenario, version, digest) = (of.scenario, self.version, digest(of.line));
        let claims = (claims.len() <= CLAIMS_MAX).then_some(&claims[..])?;
        made.push(&Made {
            platform,
            scenario,
            version,
            day,
            grams,
            claims,
            digest: &digest,
        })
    }

    fn claim(&self, of: &Template, activity: &Activity<'_>, claims: &mut Vec<Claim>) -> Option<()> {
        let mut parts = Vec::with_capacity(of.parts.len());
        for (part, grammar) in of.parts.iter().zip(&of.grammars) {
            let filled = self.fill(part, activity)?;
            (fits(grammar, &filled) && (grammar != "issuer" || of.issuers.contains(&filled)))
                .then_some(())?;
            parts.push(filled);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if of.axis == "whole" {
            claims.push(Claim {
                line: line(of.number, &parts, None),
                span: Some((0, FOREVER)),
            });
            return Some(());
        }
        if of.axis == "seats" {
            let last = self.ends.get(parts.get(1).copied()?)?;
            claims.push(Claim {
                line: line(of.number, &parts, Some(*last)),
                span: None,
            });
            return Some(());
        }
        let until = of
            .seconds
            .map_or(Some(activity.end), |s| activity.start.checked_add(s))?;
        let mut first = activity.start.checked_sub(of.guard)?;
        let last = until.checked_add(of.guard)?;
        let is_right = 0 <= first && first < last && last - first <= of.longest;
        // Beyond the last day's end nothing is added up.
        if !is_right || last > self.midnight(DAY_MAX + 1) || self.day(first) < 0 {
            return None;
        }
        while first < last {
            let day = self.day(first);
            let end = last.min(self.midnight(day + 1));
            let line = line(of.number, &parts, Some(u16::try_from(day).ok()?));
            claims.push(Claim {
                line,
                span: Some((time(first)?, time(end)?)),
            });
            first = end;
        }
        Some(())
    }

    /// A part of a template with what the activity gives in the place of each field.
    fn fill(&self, part: &str, of: &Activity<'_>) -> Option<String> {
        let mut filled = String::with_capacity(part.len() + 32);
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('{') {
            let (field, more) = after.split_once('}')?;
            filled.push_str(before);
            filled.push_str(self.field(field, of)?);
            rest = more;
        }
        filled.push_str(rest);
        Some(filled)
    }

    fn field<'a>(&'a self, field: &str, of: &Activity<'a>) -> Option<&'a str> {
        if let Some((_, rows)) = self.slots.as_ref().filter(|(name, _)| name == field) {
            let seconds = (of.start + self.offset).rem_euclid(DAY_SECONDS);
            let row = rows
                .iter()
                .find(|(low, high, _)| (*low..*high).contains(&seconds))?;
            return Some(&row.2);
        }
        match field.split_once('.') {
            Some((whole, member)) => of.fields.object(whole)?.text(member),
            None => match of.fields.get(field)? {
                Value::Text(text) => Some(text),
                _ => None,
            },
        }
    }
}

fn day_of(claim: &Claim) -> i64 {
    i64::from(u16::from_be_bytes([claim.line[0], claim.line[1]]))
}

/// Whether a text is what the grammar says (`chain/classes.py`).
fn fits(grammar: &str, text: &str) -> bool {
    match grammar {
        "slug" | "participant" | "issuer" => is_slug(text.as_bytes()),
        "pseudonym" => text.len() == 32 && is_hex(text),
        "period" => matches!(text, "day" | "month" | "year"),
        "month" => is_month(text.as_bytes()),
        "text" => (1..=64).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic()),
        _ => false,
    }
}

fn is_month(text: &[u8]) -> bool {
    let (year, month) = text.split_at(4.min(text.len()));
    year.iter().all(u8::is_ascii_digit)
        && matches!(month, [b'-', b'0', b'1'..=b'9'] | [b'-', b'1', b'0'..=b'2'])
}
