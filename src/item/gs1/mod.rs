//! GS1: element strings and Digital Link URIs taken apart and checked by the
//! rules of the GS1 Barcode Syntax Dictionary (formats, check digits, dates, and
//! which elements go together). It knows text, nothing of codes or items.
//!
//! What is not checked: coupon data (8110, 8112) beyond its characters, and
//! package types (7041) against their list.

mod ai;
mod associations;
mod check;
mod codes;
mod date;
mod digital_link;
mod elements;

use std::fmt;

use jiff::civil::Date;

pub use associations::check_associations;
pub use check::Fault;
pub use date::{full_year, resolve as resolve_date};
pub use digital_link::parse_digital_link;
pub use elements::parse_elements;

use super::Gs1Elements;

/// What is wrong with an element string or a Digital Link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gs1Error {
    /// There is nothing.
    Empty,
    /// No application identifier begins like this.
    UnknownAi(String),
    /// A value breaks its rules.
    Value {
        /// The application identifier.
        ai: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The same identifier with two values.
    Repeated(String),
    /// An element without one that it needs.
    Missing {
        /// The element that is there.
        ai: String,
        /// Those of which one must be there too.
        needs: &'static str,
    },
    /// Two elements that exclude each other.
    Exclusive {
        /// The one.
        ai: String,
        /// The other.
        other: String,
    },
    /// A Digital Link whose path or query is not in order: what is wrong.
    Link(&'static str),
}

impl fmt::Display for Gs1Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Gs1Error::Empty => write!(out, "there are no GS1 elements"),
            Gs1Error::UnknownAi(text) => {
                write!(out, "\"{text}\" begins with no GS1 application identifier")
            }
            Gs1Error::Value { ai, value, fault } => write!(out, "({ai}){value} {fault}"),
            Gs1Error::Repeated(ai) => write!(out, "({ai}) is there twice with different values"),
            Gs1Error::Missing { ai, needs } => {
                write!(out, "({ai}) needs one of {needs} beside it")
            }
            Gs1Error::Exclusive { ai, other } => {
                write!(out, "({ai}) and ({other}) exclude each other")
            }
            Gs1Error::Link(fault) => write!(out, "the GS1 Digital Link {fault}"),
        }
    }
}

impl std::error::Error for Gs1Error {}

/// The elements that a code's text holds: an element string if FNC1 was in first
/// position (`fnc1`), else a Digital Link. `None` if it is neither, or if
/// something is wrong with it, which [`parse_elements`] and
/// [`parse_digital_link`] tell.
pub fn elements_of(text: &str, fnc1: bool, today: Date) -> Option<Gs1Elements> {
    if fnc1 {
        parse_elements(text, today).ok()
    } else {
        parse_digital_link(text, today)?.ok()
    }
}

/// Adds a checked element to `elements`.
fn add(elements: &mut Gs1Elements, ai: &str, value: &str, today: Date) -> Result<(), Gs1Error> {
    let rules = ai::rules(ai).ok_or_else(|| Gs1Error::UnknownAi(ai.to_owned()))?;
    check::value(value, rules.parts, today).map_err(|fault| Gs1Error::Value {
        ai: ai.to_owned(),
        value: value.to_owned(),
        fault,
    })?;
    match elements.insert(ai.to_owned(), value.to_owned()) {
        Some(before) if before != value => Err(Gs1Error::Repeated(ai.to_owned())),
        _ => Ok(()),
    }
}

/// The date of the element `ai` (11, 12, 13, 15, 16, 17, 4326, 7003, 7006 or
/// 7007), seen from `today`: for 11 to 17, day 00 is the month's last. Of a
/// harvest period it is the first day.
pub fn date(elements: &Gs1Elements, ai: &str, today: Date) -> Option<Date> {
    let value = elements.get(ai)?;
    let day_may_be_left_out = match ai {
        "11" | "12" | "13" | "15" | "16" | "17" => true,
        "4326" | "7003" | "7006" | "7007" => false,
        _ => return None,
    };
    resolve_date(value.get(..6)?, day_may_be_left_out, today)
}

/// When the item expires: 17 (use by), else the day of 7003 (expiry time), else
/// 15 (best before).
pub fn expiry(elements: &Gs1Elements, today: Date) -> Option<Date> {
    ["17", "7003", "15"]
        .into_iter()
        .find_map(|ai| date(elements, ai, today))
}
