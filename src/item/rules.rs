//! The verdict of the rules on an item. A rule holds if at least one of the
//! item's codes fulfils all of its conditions: a label with an order number and
//! a GTIN beside it passes a rule for either. An item passes if every rule holds.

use crate::config::RulePlan;

use super::gs1;
use super::text::ItemText;
use super::{EventCode, Gs1Elements, Verdict};

/// Most characters of a text that a detail repeats.
const SHOWN: usize = 60;

/// Most codes of an item that a detail goes into.
const CODES_SHOWN: usize = 3;

/// Judges the codes of an item by `rules`, in order: the first that does not
/// hold gives the verdict its name and detail. `None` if there are no rules.
///
/// A GS1 condition wants the code's own elements valid ([`EventCode::gs1`]) and
/// its associations fulfilled by all elements of the item together, since they
/// may be spread over several codes.
///
/// A rule with a field asks of `text` instead ([`super::text`]). `wall_ns` is the
/// day from which centuries are counted.
pub fn judge(
    rules: &[RulePlan],
    codes: &[EventCode],
    text: &ItemText,
    wall_ns: i64,
) -> Option<Verdict> {
    if rules.is_empty() {
        return None;
    }
    let mut together = Gs1Elements::new();
    for elements in codes.iter().filter_map(|code| code.gs1.as_ref()) {
        together.extend(
            elements
                .iter()
                .map(|(ai, value)| (ai.clone(), value.clone())),
        );
    }
    let today = || super::decide::day_of(wall_ns).unwrap_or_default();
    let failed = rules.iter().find_map(|rule| {
        if let Some(field) = &rule.field {
            let fault = super::text::check::fault(rule, field, codes, text, today())?;
            return Some((rule, vec![fault.detail], fault.mismatch));
        }
        let faults: Vec<String> = codes
            .iter()
            .map(|code| fault(rule, code, &together))
            .collect::<Option<_>>()?;
        Some((rule, faults, None))
    });
    Some(match failed {
        None => Verdict {
            pass: true,
            rule: None,
            detail: None,
            mismatch: None,
        },
        Some((rule, faults, mismatch)) => Verdict {
            pass: false,
            rule: Some(rule.name.clone()),
            detail: Some(told(&faults)),
            mismatch,
        },
    })
}

fn told(faults: &[String]) -> String {
    if faults.is_empty() {
        return "the item has no code".to_owned();
    }
    let mut detail = faults[..faults.len().min(CODES_SHOWN)].join("; ");
    if faults.len() > CODES_SHOWN {
        detail.push_str(&format!("; and {} more", faults.len() - CODES_SHOWN));
    }
    detail
}

/// The first condition of `rule` that `code` does not fulfil, in words.
fn fault(rule: &RulePlan, code: &EventCode, together: &Gs1Elements) -> Option<String> {
    let Some(text) = code.text.as_deref() else {
        let asks =
            rule.regex.is_some() || rule.prefix.is_some() || rule.length.is_some() || rule.gs1;
        return (asks || rule.expected.is_some()).then(|| "the code holds no text".to_owned());
    };
    if let Some(fault) = text_fault(rule, text) {
        return Some(fault);
    }
    if rule.gs1 {
        let shown = shown(text);
        match &code.gs1 {
            None => return Some(format!("{shown} {}", gs1_fault(text, &code.aim))),
            Some(_) => {
                if let Err(error) = gs1::check_associations(together) {
                    return Some(format!("{shown}: {error}"));
                }
            }
        }
    }
    None
}

/// The first condition of `rule` for any text that `text` does not fulfil.
pub(super) fn text_fault(rule: &RulePlan, text: &str) -> Option<String> {
    let shown = shown(text);
    if let Some(prefix) = &rule.prefix
        && !text.starts_with(prefix.as_str())
    {
        return Some(format!("{shown} does not begin with \"{prefix}\""));
    }
    if let Some(length) = rule.length {
        let characters = text.chars().count();
        if characters != length {
            return Some(format!("{shown} has {characters} characters, not {length}"));
        }
    }
    if let Some(regex) = &rule.regex
        && !regex
            .find(text)
            .is_some_and(|found| found.start() == 0 && found.end() == text.len())
    {
        return Some(format!("{shown} does not match {}", regex.as_str()));
    }
    if let Some(expected) = &rule.expected
        && !expected.contains(text)
    {
        return Some(format!(
            "{shown} is not among the {} expected",
            expected.len()
        ));
    }
    None
}

/// Why a code has no GS1 elements.
fn gs1_fault(text: &str, aim: &str) -> String {
    // The day matters for nothing but the century, and that not for a fault:
    // every year that two digits may stand for has the same days as in this one's
    // window, except 1900 and 2100.
    let today = jiff::civil::date(2026, 1, 1);
    let fault = if aim.ends_with(['3', '4']) {
        gs1::parse_elements(text, today).err()
    } else {
        gs1::parse_digital_link(text, today).and_then(Result::err)
    };
    match fault {
        Some(error) => format!("is not valid GS1: {error}"),
        None => "is neither a GS1 element string (FNC1) nor a GS1 Digital Link".to_owned(),
    }
}

/// The text in quotes, control characters escaped, cut to a bearable length.
pub(super) fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Quad;
    use crate::qr::Quality;

    fn code(text: &str, aim: &str) -> EventCode {
        let today = jiff::civil::date(2026, 11, 22);
        EventCode {
            text: Some(text.to_owned()),
            bytes: None,
            symbology: "qr",
            aim: aim.to_owned(),
            version: 1,
            level: "M",
            corners: Quad::default(),
            method: "plain",
            quality: Quality::default(),
            append: None,
            gs1: gs1::elements_of(text, aim == "]Q3", today),
        }
    }

    fn rule(name: &str) -> RulePlan {
        RulePlan {
            name: name.to_owned(),
            regex: None,
            prefix: None,
            length: None,
            gs1: false,
            expected: None,
            field: None,
        }
    }

    /// Name and detail of the rule that failed.
    fn failed(rules: &[RulePlan], codes: &[EventCode]) -> Option<(String, String)> {
        let verdict = judge(rules, codes, &ItemText::default(), 0).expect("there are rules");
        assert_eq!(verdict.pass, verdict.rule.is_none());
        verdict.rule.zip(verdict.detail)
    }

    #[test]
    fn no_rules_no_verdict() {
        assert_eq!(
            judge(&[], &[code("A", "]Q1")], &ItemText::default(), 0),
            None
        );
    }

    #[test]
    fn each_condition_fails_with_its_values() {
        let lot = code("LOT 7A", "]Q1");
        let fails = |rule: RulePlan| failed(&[rule], std::slice::from_ref(&lot));
        let detail = |rule: RulePlan| fails(rule).expect("fails").1;
        assert_eq!(fails(rule("any")), None);
        let regex = |pattern: &str| RulePlan {
            regex: Some(regex::Regex::new(pattern).expect("an expression")),
            ..rule("r")
        };
        assert_eq!(fails(regex(r"^(?:LOT \d[A-Z])$")), None);
        assert_eq!(
            detail(regex(r"^(?:LOT \d+)$")),
            r#""LOT 7A" does not match ^(?:LOT \d+)$"#
        );
        assert_eq!(detail(regex("LOT")), r#""LOT 7A" does not match LOT"#);
        let prefix = |prefix: &str| RulePlan {
            prefix: Some(prefix.to_owned()),
            ..rule("r")
        };
        assert_eq!(fails(prefix("LOT ")), None);
        assert_eq!(
            detail(prefix("BOX")),
            r#""LOT 7A" does not begin with "BOX""#
        );
        let length = |length| RulePlan {
            length: Some(length),
            ..rule("r")
        };
        assert_eq!(fails(length(6)), None);
        assert_eq!(detail(length(7)), r#""LOT 7A" has 6 characters, not 7"#);
        let expected = |texts: &[&str]| RulePlan {
            expected: Some(texts.iter().map(|&t| t.to_owned()).collect()),
            ..rule("r")
        };
        assert_eq!(fails(expected(&["LOT 7A", "LOT 7B"])), None);
        assert_eq!(
            detail(expected(&["LOT 7B"])),
            r#""LOT 7A" is not among the 1 expected"#
        );
    }

    #[test]
    fn gs1_wants_valid_elements_that_go_together() {
        let gs1 = [RulePlan {
            gs1: true,
            ..rule("gs1")
        }];
        let detail = |codes: &[EventCode]| failed(&gs1, codes).map(|(_, detail)| detail);
        let item = code("0109506000134352", "]Q3");
        let lot = code("10ABC", "]Q3");
        assert_eq!(detail(std::slice::from_ref(&item)), None);
        assert_eq!(
            detail(&[code("https://id.gs1.org/01/09506000134352", "]Q1")]),
            None
        );
        assert_eq!(
            detail(std::slice::from_ref(&lot)),
            Some(r#""10ABC": (10) needs one of 01 02 03 8006 8026 beside it"#.to_owned())
        );
        // What it needs may stand in another code of the item.
        assert_eq!(detail(&[lot, item]), None);
        assert_eq!(
            detail(&[code("0109506000134353", "]Q3")]),
            Some(
                "\"0109506000134353\" is not valid GS1: (01)09506000134353 has a wrong check digit"
                    .to_owned()
            )
        );
        assert_eq!(
            detail(&[code("4006381333931", "]Q1")]),
            Some(
                "\"4006381333931\" is neither a GS1 element string (FNC1) nor a GS1 Digital Link"
                    .to_owned()
            )
        );
    }

    #[test]
    fn one_code_of_the_item_is_enough_for_a_rule_and_every_rule_must_hold() {
        let codes = [code("ORDER 1", "]Q1"), code("LOT 7A", "]Q1")];
        let prefix = |name: &str, prefix: &str| RulePlan {
            prefix: Some(prefix.to_owned()),
            ..rule(name)
        };
        assert_eq!(
            failed(&[prefix("order", "ORDER"), prefix("lot", "LOT")], &codes),
            None
        );
        let (name, detail) =
            failed(&[prefix("order", "ORDER"), prefix("box", "BOX")], &codes).expect("fails");
        assert_eq!(name, "box");
        assert_eq!(
            detail,
            r#""ORDER 1" does not begin with "BOX"; "LOT 7A" does not begin with "BOX""#
        );
        // Conditions of one rule are not shared out over codes.
        let both = RulePlan {
            length: Some(6),
            ..prefix("both", "ORDER")
        };
        assert_eq!(failed(&[both], &codes).expect("fails").0, "both");
        assert_eq!(
            failed(&[rule("any")], &[]),
            Some(("any".to_owned(), "the item has no code".to_owned()))
        );
        let binary = EventCode {
            text: None,
            ..code("", "]Q1")
        };
        assert_eq!(failed(&[rule("any")], std::slice::from_ref(&binary)), None);
        assert_eq!(
            failed(&[prefix("p", "x")], &[binary]).expect("fails").1,
            "the code holds no text"
        );
    }

    #[test]
    fn details_stay_short() {
        let codes = vec![code(&"é\n".repeat(500), "]Q1"); 9];
        let rule = RulePlan {
            length: Some(1),
            ..rule("short")
        };
        let (_, detail) = failed(&[rule], &codes).expect("fails");
        assert!(detail.ends_with("; and 6 more") && detail.chars().count() < 500);
        assert!(!detail.contains('\n'));
    }
}
