//! Date formats as regular expressions.

use super::PatternError;

/// What the fields of a format stand for, the longest first.
const FIELDS: [(&str, &str); 8] = [
    ("YYYY", "(19|20|21)[0-9][0-9]"),
    (
        "MMM",
        "(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    ),
    ("YY", "[0-9][0-9]"),
    ("MM", "(0[1-9]|1[0-2])"),
    ("DD", "(0[1-9]|[12][0-9]|3[01])"),
    ("hh", "([01][0-9]|2[0-3])"),
    ("mm", "[0-5][0-9]"),
    ("ss", "[0-5][0-9]"),
];

/// The expression of `format`; an error if there is no field in it.
pub(super) fn expression(format: &str) -> Result<String, PatternError> {
    let mut expression = String::new();
    let mut rest = format;
    let mut fields = 0;
    while let Some(character) = rest.chars().next() {
        if let Some((name, meaning)) = FIELDS.iter().find(|(name, _)| rest.starts_with(name)) {
            expression.push_str(meaning);
            rest = &rest[name.len()..];
            fields += 1;
            continue;
        }
        if character.is_ascii_punctuation() {
            expression.push('\\');
        }
        expression.push(character);
        rest = &rest[character.len_utf8()..];
    }
    if fields == 0 {
        return Err(PatternError {
            at: 0,
            what: "the date format names no field: write DD, MM, MMM, YY, YYYY, hh, mm or ss"
                .into(),
        });
    }
    Ok(expression)
}
