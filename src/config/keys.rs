//! The names of all keys, asked of serde itself, so that no second list of them
//! has to be kept: a section is given a key that no section has, and its
//! refusal names those that it has.

use serde::Deserialize;

use super::Config;

/// A key that is in no section.
const PROBE: &str = "?";

/// Every key with its section, as `camera.fps` and `rule.regex`.
pub(super) fn known() -> Vec<String> {
    let mut keys = Vec::new();
    for section in fields(&format!("\"{PROBE}\" = 0")).unwrap_or_default() {
        let inner = fields(&format!("{section}.\"{PROBE}\" = 0"))
            .or_else(|| fields(&format!("[[{section}]]\n\"{PROBE}\" = 0")));
        for key in inner.unwrap_or_default() {
            let deeper = fields(&format!("{section}.{key}.\"{PROBE}\" = 0"))
                .or_else(|| fields(&format!("[[{section}.{key}]]\n\"{PROBE}\" = 0")));
            match deeper {
                Some(deeper) => keys.extend(
                    deeper
                        .iter()
                        .map(|deeper| format!("{section}.{key}.{deeper}")),
                ),
                None => keys.push(format!("{section}.{key}")),
            }
        }
    }
    keys
}

/// The keys beside the probe in `text`, or `None` if no section stands there.
fn fields(text: &str) -> Option<Vec<String>> {
    let refusal = match toml::de::Deserializer::parse(text).map(Config::deserialize) {
        Ok(Err(refusal)) => refusal,
        _ => return None,
    };
    let list = refusal
        .message()
        .strip_prefix(&format!("unknown field `{PROBE}`, expected "))?;
    Some(
        list.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect(),
    )
}

/// The name that was probably meant by `word`.
pub(super) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(100).collect();
    let word = word.to_lowercase().replace('_', "-");
    names
        .into_iter()
        .map(|name| {
            // Edits for slips of the finger, a common beginning for a unit
            // that was left out.
            let edits = strsim::normalized_damerau_levenshtein(&word, name);
            let beginning = strsim::jaro_winkler(&word, name);
            let score = if beginning >= 0.85 {
                edits.max(beginning)
            } else {
                edits
            };
            (score, name)
        })
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sections_and_the_nested_ones_are_found() {
        let known = known();
        for key in [
            "camera.fps",
            "camera.belt.seed",
            "camera.command",
            "belt.px-per-mm",
            "rule.regex",
            "ocr.wait-ms",
            "ocr.field.box",
            "output.file.rotate-mb",
            "service.drain-s",
        ] {
            assert!(known.iter().any(|k| k == key), "{key} in {known:?}");
        }
        assert!(!known.iter().any(|key| key == "camera.belt"));
    }

    #[test]
    fn the_nearest_name_is_the_one_meant() {
        let names = ["fps", "format", "exposure-us", "timeout-ms", "width"];
        for (word, meant) in [
            ("fsp", Some("fps")),
            ("exposure_us", Some("exposure-us")),
            ("exposure", Some("exposure-us")),
            ("Timeout", Some("timeout-ms")),
            ("with", Some("width")),
            ("zebra", None),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
    }
}
