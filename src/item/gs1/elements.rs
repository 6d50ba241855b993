//! Element strings as FNC1 symbols carry them: identifiers and values one after
//! another, those of variable length ended by U+001D (General Specifications, 7.8).

use jiff::civil::Date;

use super::super::Gs1Elements;
use super::{Gs1Error, add, ai};
use crate::qr::encode::predefined_length;

/// The separator.
const FNC1: char = '\u{1d}';

/// Takes `text` apart, FNC1 being U+001D where it separates. `today` settles
/// which century dates of two-digit years are in. A separator after an element
/// that needs none, and one at either end, does no harm.
///
/// Each element is checked by itself; which must go together is
/// [`super::check_associations`]'s business, since they may stand in another
/// code on the same item.
pub fn parse_elements(text: &str, today: Date) -> Result<Gs1Elements, Gs1Error> {
    let mut elements = Gs1Elements::new();
    let mut rest = text.strip_prefix(FNC1).unwrap_or(text);
    if rest.is_empty() {
        return Err(Gs1Error::Empty);
    }
    while !rest.is_empty() {
        let (ai, rules) =
            ai::leading(rest).ok_or_else(|| Gs1Error::UnknownAi(rest.chars().take(4).collect()))?;
        let after = &rest[ai.len()..];
        let ended = after.find(FNC1).unwrap_or(after.len());
        let length = if predefined_length(ai) {
            // Its length is known; a separator or the end before it is a fault
            // that the value's check tells.
            let length = rules.parts.iter().map(|part| part.max).sum::<usize>();
            length.min(ended)
        } else {
            ended
        };
        let Some(value) = after.get(..length) else {
            return Err(Gs1Error::UnknownAi(rest.chars().take(4).collect()));
        };
        add(&mut elements, ai, value, today)?;
        rest = &after[length..];
        rest = rest.strip_prefix(FNC1).unwrap_or(rest);
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::super::Fault;
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Vec<(String, String)>, Gs1Error> {
        parse_elements(text, date(2026, 11, 22)).map(|elements| elements.into_iter().collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>, Gs1Error> {
        Ok(pairs
            .iter()
            .map(|&(ai, value)| (ai.to_owned(), value.to_owned()))
            .collect())
    }

    #[test]
    fn elements_are_taken_apart() {
        assert_eq!(
            parse("010950600013435210ABC"),
            pairs(&[("01", "09506000134352"), ("10", "ABC")])
        );
        assert_eq!(
            parse("10ABC\u{1d}010950600013435217270200"),
            pairs(&[("01", "09506000134352"), ("10", "ABC"), ("17", "270200")])
        );
        // A separator too many, as some printers write it.
        assert_eq!(
            parse("\u{1d}0109506000134352\u{1d}3103001234\u{1d}"),
            pairs(&[("01", "09506000134352"), ("3103", "001234")])
        );
        assert_eq!(
            parse("0109506000134352\u{1d}0109506000134352"),
            pairs(&[("01", "09506000134352")])
        );
    }

    #[test]
    fn faults_name_the_element() {
        let fault = |text: &str| parse(text).expect_err("faulty").to_string();
        assert_eq!(fault(""), "there are no GS1 elements");
        assert_eq!(
            fault("0109506000134353"),
            "(01)09506000134353 has a wrong check digit"
        );
        assert_eq!(fault("0109506"), "(01)09506 is too short");
        assert_eq!(
            fault("0510"),
            "\"0510\" begins with no GS1 application identifier"
        );
        assert_eq!(
            fault("10A\u{1d}10B"),
            "(10) is there twice with different values"
        );
        assert_eq!(
            parse("10A\u{1d}\u{1d}21B"),
            Err(Gs1Error::UnknownAi("\u{1d}21B".to_owned()))
        );
        assert_eq!(
            parse("01095060001343é2"),
            Err(Gs1Error::Value {
                ai: "01".to_owned(),
                value: "095060001343é2".chars().take(13).collect::<String>(),
                fault: Fault::Character,
            })
        );
    }

    proptest! {
        #[test]
        fn anything_at_all_is_taken_or_refused(text in "\\PC{0,60}|[0-9\u{1d}A-Z]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_the_encoder_writes_is_taken_apart_again(
            lot in "[0-9A-Za-z!%-/]{1,20}", serial in "[0-9A-Za-z_]{1,20}", weight in 0..1_000_000u32,
        ) {
            let text = format!("(01)09506000134352(10){lot}(3102){weight:06}(21){serial}");
            let matrix = crate::qr::encode(&text, crate::qr::EcLevel::M, None, true).expect("fits");
            let mut code = crate::qr::Code::default();
            crate::qr::Decoder::new().decode(&matrix.modules(), &mut code).expect("whole");
            let expected = [
                ("01", "09506000134352".to_owned()), ("10", lot), ("21", serial),
                ("3102", format!("{weight:06}")),
            ];
            prop_assert_eq!(
                parse(&code.content.text),
                Ok(expected.into_iter().map(|(ai, value)| (ai.to_owned(), value)).collect())
            );
        }
    }
}
