//! Rules that ask of a field of text: is what is printed what the code says?
//!
//! A GS1 element that is a date (11, 12, 13, 15, 16, 17) is compared as a date,
//! in whatever spelling it is printed; a day that is left out in print is any
//! day of the month. Everything else must be the same text, spaces left out,
//! since reading them is what models are weakest at.
//!
//! A field beside a code is held against that code. If it stands beside several
//! codes of an item, all of them must fit; of lines that were searched for in the
//! picture, one must.

use jiff::civil::Date;

use super::{EventText, ItemText, date};
use crate::config::{FieldRule, IfMissing, RulePlan};
use crate::item::rules::{shown, text_fault};
use crate::item::{EventCode, Gs1Elements, Mismatch, gs1};

/// What speaks against an item.
pub(in crate::item) struct Fault {
    pub detail: String,
    pub mismatch: Option<Mismatch>,
}

/// What in the field's text `rule` does not accept; `None` if it holds.
pub(in crate::item) fn fault(
    rule: &RulePlan,
    field: &FieldRule,
    codes: &[EventCode],
    text: &ItemText,
    today: Date,
) -> Option<Fault> {
    let texts: Vec<_> = text.texts.iter().filter(|t| t.name == field.name).collect();
    let skipped = text.skipped.iter().find(|s| s.name == field.name);
    if skipped.is_some() || texts.is_empty() {
        return (field.if_missing == IfMissing::Fail).then(|| Fault {
            detail: match skipped {
                Some(skipped) => format!(
                    "the field {} was not read ({})",
                    field.name,
                    skipped.reason.name()
                ),
                None => format!("no code of the item has the field {}", field.name),
            },
            mismatch: None,
        });
    }
    let faults = texts
        .iter()
        .map(|text| one(rule, field, text, codes, today));
    let beside = texts.iter().all(|text| text.code.is_some());
    if beside {
        faults.flatten().next()
    } else {
        // The last one's, if none fits.
        faults.reduce(|before, next| before.and(next)).flatten()
    }
}

fn one(
    rule: &RulePlan,
    field: &FieldRule,
    text: &EventText,
    codes: &[EventCode],
    today: Date,
) -> Option<Fault> {
    if let Some(fault) = text_fault(rule, &text.text) {
        return Some(Fault {
            detail: format!("the field {}: {fault}", field.name),
            mismatch: None,
        });
    }
    let ai = field.equals_ai.as_deref()?;
    let own = text.code.and_then(|code| codes.get(code));
    let encoded = own
        .into_iter()
        .chain(codes)
        .filter_map(|code| code.gs1.as_ref())
        .find_map(|elements| Some((elements, elements.get(ai)?)));
    let mismatch = |encoded: Option<&String>| {
        Some(Mismatch {
            field: field.name.clone(),
            printed: text.text.clone(),
            ai: ai.to_owned(),
            encoded: encoded.cloned(),
        })
    };
    let Some((elements, value)) = encoded else {
        return Some(Fault {
            detail: format!(
                "the field {} says {}, and no code of the item has ({ai})",
                field.name,
                shown(&text.text)
            ),
            mismatch: mismatch(None),
        });
    };
    let same = is_same(&text.text, ai, value, elements, field, today);
    (!same).then(|| Fault {
        detail: format!(
            "the field {} says {}, and ({ai}) of the code is {}",
            field.name,
            shown(&text.text),
            shown(value)
        ),
        mismatch: mismatch(Some(value)),
    })
}

/// Does `printed` say what the element `ai` of `elements` does?
fn is_same(
    printed: &str,
    ai: &str,
    value: &str,
    elements: &Gs1Elements,
    field: &FieldRule,
    today: Date,
) -> bool {
    let is_date = matches!(ai, "11" | "12" | "13" | "15" | "16" | "17");
    if is_date {
        let encoded = gs1::date(elements, ai, today);
        let printed = date::read(printed, field.date.as_ref(), today);
        return matches!((printed, encoded), (Some(printed), Some(encoded)) if printed.is(encoded));
    }
    let dense = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
    dense(date::without_ai(printed)) == dense(value)
}
