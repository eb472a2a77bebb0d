//! Activities as platforms report them (`chain/activities.py`), and their reductions.
//!
//! Only the plain ones are read here: ASCII without escapes, in the one form.  For all else the
//! Python reads again, and says what is wrong if anything is.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::digest::sha256;
use crate::errors::{Result, work};
use crate::methodologies::Plan;
use crate::reductions::{FOREVER, Reductions};

const BYTES_MAX: usize = 8_192;
const DAY_SECONDS: i64 = 86_400;

/// A value of an activity.
#[derive(PartialEq)]
pub enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    Object(Object<'a>),
}

/// An object's fields, as they stand; no name twice.
#[derive(PartialEq)]
pub struct Object<'a>(Vec<(&'a str, Value<'a>)>);

impl<'a> Object<'a> {
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub fn object(&self, name: &str) -> Option<&Object<'a>> {
        match self.get(name)? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    fn has_exactly(&self, names: &[&str]) -> bool {
        self.0.len() == names.len() && names.iter().all(|name| self.text(name).is_some())
    }
}

/// An activity whose form is right.
pub struct Activity<'a> {
    pub line: &'a [u8],
    pub fields: Object<'a>,
    pub scenario: &'a str,
    pub tier: &'a str,
    pub start: i64,
    pub end: i64,
}

impl<'a> Activity<'a> {
    pub fn read(line: &'a [u8]) -> Option<Activity<'a>> {
        if line.len() > BYTES_MAX
            || !line.is_ascii()
            || line.contains(&b'\n')
            || line.contains(&b'\r')
        {
            return None;
        }
        let mut json = Json {
            text: std::str::from_utf8(line).ok()?,
            at: 0,
        };
        json.space();
        let fields = json.object(2)?;
        json.space();
        if json.at != line.len() {
            return None;
        }
        let evidence = fields.object("evidence")?;
        let activity = Activity {
            line,
            scenario: fields.text("scenario")?,
            tier: evidence.text("tier")?,
            start: fields.integer("start")?,
            end: fields.integer("end")?,
            fields,
        };
        activity.is_sound().then_some(activity)
    }

    fn is_sound(&self) -> bool {
        let fields = &self.fields;
        let is_digest =
            |text: Option<&str>| text.is_some_and(|text| text.len() == 64 && is_hex(text));
        let nonce = fields.text("nonce").unwrap_or_default();
        let known = |(name, value): &(&str, Value<'a>)| match (*name, value) {
            ("format" | "start" | "end", Value::Integer(_)) => true,
            ("id" | "scenario" | "authorisation" | "nonce", Value::Text(_)) => true,
            ("subject" | "vehicle" | "meter", Value::Text(_)) => true,
            ("evidence", Value::Object(of)) => of.has_exactly(&["tier", "digest"]),
            ("ticket" | "order", Value::Object(of)) => of.has_exactly(&["issuer", "number"]),
            ("parcel", Value::Object(of)) => of.has_exactly(&["carrier", "number"]),
            ("bill", Value::Object(of)) => of.has_exactly(&["issuer", "account", "month"]),
            ("attributes", Value::Object(of)) => {
                of.0.iter()
                    .all(|(_, value)| matches!(value, Value::Text(_)))
            }
            ("quantities", Value::Object(of)) => {
                of.0.iter()
                    .all(|(_, value)| matches!(value, Value::Integer(0..)))
            }
            _ => false,
        };
        fields.0.iter().all(known)
            && fields.integer("format") == Some(1)
            && 0 <= self.start
            && self.start <= self.end
            && fields
                .text("id")
                .is_some_and(|id| (1..=128).contains(&id.len()))
            && is_digest(
                fields
                    .object("evidence")
                    .and_then(|evidence| evidence.text("digest")),
            )
            && is_digest(fields.text("authorisation"))
            && (32..=128).contains(&nonce.len())
            && is_hex(nonce)
    }

    pub fn day(&self, offset: i64) -> Option<u16> {
        u16::try_from(self.start.checked_add(offset)?.div_euclid(DAY_SECONDS)).ok()
    }

    fn subject(&self) -> Option<[u8; 16]> {
        let named = self
            .fields
            .text("subject")
            .filter(|named| named.len() == 32)?;
        let mut subject = [0; 16];
        for (byte, digits) in subject.iter_mut().zip(named.as_bytes().chunks(2)) {
            *byte = hex_digit(digits[0])? << 4 | hex_digit(digits[1])?;
        }
        Some(subject)
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Whether a text is bytes in lower-case hexadecimal.
pub fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|digit| hex_digit(digit).is_some())
}

/// Reads objects of texts, integers and objects.
struct Json<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Json<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn token(&mut self, token: u8) -> Option<()> {
        self.space();
        (self.peek()? == token).then(|| self.at += 1)
    }

    fn string(&mut self) -> Option<&'a str> {
        self.token(b'"')?;
        let rest = self.text.get(self.at..)?;
        let size = rest
            .bytes()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        self.at += size + 1;
        rest.as_bytes().get(size).filter(|byte| **byte == b'"')?;
        rest.get(..size)
    }

    fn integer(&mut self) -> Option<i64> {
        let rest = self.text.get(self.at..)?;
        let more = |byte: u8| !matches!(byte, b'0'..=b'9' | b'-');
        let digits = &rest[..rest.bytes().position(more).unwrap_or(rest.len())];
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        // What goes on as a fraction or an exponent ends at no comma and no brace.
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return None;
        }
        self.at += digits.len();
        digits.parse().ok()
    }

    fn object(&mut self, depth: u32) -> Option<Object<'a>> {
        self.token(b'{')?;
        let mut fields = Vec::with_capacity(12);
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Object(fields));
        }
        loop {
            self.space();
            let name = self.string()?;
            if fields.iter().any(|(other, _)| *other == name) {
                return None;
            }
            self.token(b':')?;
            self.space();
            let value = match self.peek()? {
                b'"' => Value::Text(self.string()?),
                b'{' => Value::Object(self.object(depth.checked_sub(1).filter(|d| *d > 0)?)?),
                _ => Value::Integer(self.integer()?),
            };
            fields.push((name, value));
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(Object(fields))
    }
}

/// What was made of lines: the reductions, whom each of them names, and the places of the lines that
/// are left to the Python.
type Computed<'py> = (Reductions, Bound<'py, PyList>, Vec<usize>);

/// The reductions of `lines`, an activity each, of those that are plain and earn one.
///
/// `offset`: of the ledger's days from UTC, in seconds; `plan_of`: gives the plan of a scenario and
/// a day, or None.
#[pyfunction]
pub fn reduce_lines<'py>(
    py: Python<'py>,
    lines: Vec<PyBackedBytes>,
    offset: i64,
    platform: &str,
    plan_of: Py<PyAny>,
) -> PyResult<Computed<'py>> {
    let (made, subjects, left) = work(py, || {
        let (mut made, mut subjects, mut left) = (Reductions::default(), Vec::new(), Vec::new());
        let mut plans = Plans {
            plan_of,
            known: HashMap::new(),
        };
        for (place, line) in lines.iter().enumerate() {
            match reduce(line, offset, platform, &mut plans, &mut made)? {
                Some(subject) => subjects.push(subject),
                None => left.push(place),
            }
        }
        Ok((made, subjects, left))
    })?;
    let named = subjects
        .iter()
        .map(|of| of.map(|subject| PyBytes::new(py, &subject)));
    Ok((made, PyList::new(py, named)?, left))
}

type Subject = Option<[u8; 16]>;

/// Add the reduction of a line, and give whom it names; None if it is left to the Python.
fn reduce(
    line: &[u8],
    offset: i64,
    platform: &str,
    plans: &mut Plans,
    made: &mut Reductions,
) -> Result<Option<Subject>> {
    let Some(activity) = Activity::read(line) else {
        return Ok(None);
    };
    let Some(day) = activity.day(offset) else {
        return Ok(None);
    };
    let plan = plans.get(activity.scenario, day)?;
    Ok(plan
        .and_then(|plan| plan.reduce(&activity, platform, day, made))
        .map(|()| activity.subject()))
}

/// The plans of each day and scenario, as far as they were asked for.
struct Plans {
    plan_of: Py<PyAny>,
    known: HashMap<u16, Vec<(String, Option<Py<Plan>>)>>,
}

impl Plans {
    fn get(&mut self, scenario: &str, day: u16) -> Result<Option<&Plan>> {
        let of_day = self.known.entry(day).or_default();
        let place = match of_day.iter().position(|(name, _)| name == scenario) {
            Some(place) => place,
            None => {
                let plan = Python::attach(|py| -> PyResult<_> {
                    let plan = self.plan_of.bind(py).call1((scenario, day))?;
                    Ok(plan.extract::<Option<Py<Plan>>>()?)
                })?;
                of_day.push((scenario.to_owned(), plan));
                of_day.len() - 1
            }
        };
        Ok(of_day[place].1.as_ref().map(Py::get))
    }
}

/// The digest by which a reduction names its activity.
pub fn digest(line: &[u8]) -> [u8; 32] {
    sha256(&[b"tally/activity/v1\n", line])
}

/// A time that fits: not negative, as all here are.
pub fn time(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value <= FOREVER)
}
