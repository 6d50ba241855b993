//! `[ocr]` and `[[ocr.field]]` from what is written to what will be done.

use std::sync::Arc;
use std::time::Duration;

use super::date::escape;
use super::{
    Characters, CodeAnchor, DateFormat, FieldPlace, FieldPlan, Find, Ocr, OcrField, OcrPlan,
};
use crate::config::item::whole;
use crate::config::{CameraPlan, Problems};
use crate::ocr::{self, Pattern, Wanted};

/// Fields of one item. Each costs a reading for every item.
const MAX_FIELDS: usize = 16;
/// Longest wait for text: past it a sorter has long been passed.
const MAX_WAIT_MS: u32 = 10_000;
/// Lines that may wait: each keeps a strip.
const MAX_QUEUE: usize = 256;
/// Strips that may be kept: 64 KB each.
const MAX_STRIPS: usize = 1024;
/// Farthest that a field may be from its code, in modules.
const MAX_MODULES: f32 = 1000.0;

impl Ocr {
    /// Checks every range, compiles every pattern. `camera` says how large the
    /// picture is.
    pub fn resolve(&self, camera: &CameraPlan, problems: &mut Problems) -> OcrPlan {
        let mut within = |key: &str, value: usize, least: usize, most: usize| {
            if !(least..=most).contains(&value) {
                problems.add(
                    format!("ocr.{key}"),
                    format!("{value} is out of range"),
                    format!("write {least} to {most}"),
                );
            }
        };
        within("wait-ms", self.wait_ms as usize, 0, MAX_WAIT_MS as usize);
        within("queue", self.queue, 1, MAX_QUEUE);
        within("strips", self.strips, 1, MAX_STRIPS);
        within("timeout-ms", self.timeout_ms as usize, 10, 60_000);
        if !(0.0..=1.0).contains(&self.sure) {
            problems.add(
                "ocr.sure",
                format!("{} is no confidence", self.sure),
                "write 0 to 1",
            );
        }
        if !(0.0..=1.0).contains(&self.canary_share) {
            problems.add(
                "ocr.canary-share",
                format!("{} is no share", self.canary_share),
                "write 0 to 1",
            );
        }
        for (key, dir) in [
            ("ocr.models", &self.models),
            ("ocr.fallback-models", &self.fallback_models),
            ("ocr.canary-models", &self.canary_models),
        ] {
            if let Some(dir) = dir
                && !dir.is_absolute()
            {
                problems.add(
                    key,
                    format!("\"{}\" is no absolute path", dir.display()),
                    "write it from the root on, or leave it out",
                );
            }
        }
        if self.field.len() > MAX_FIELDS {
            problems.add(
                "ocr.field",
                format!("{} fields", self.field.len()),
                format!("name {MAX_FIELDS} at most: each costs time for every item"),
            );
        }
        if !self.field.is_empty() && !cfg!(feature = "ocr") {
            problems.add(
                "ocr.field",
                "this build reads no text",
                "build it with the cargo feature `ocr`, or take the fields out",
            );
        }
        let fields = self
            .field
            .iter()
            .enumerate()
            .filter_map(|(nth, field)| {
                if self.field[..nth].iter().any(|one| one.name == field.name) {
                    problems.add(
                        format!("ocr.field[{nth}].name"),
                        format!("there is a field \"{}\" already", field.name),
                        "give each field a name of its own: rules tell it",
                    );
                }
                field.resolve(&format!("ocr.field[{nth}]"), camera, problems)
            })
            .collect();
        OcrPlan {
            wait: Duration::from_millis(self.wait_ms.into()),
            models: self.models.clone(),
            fallback: self.fallback_models.clone(),
            canary: self
                .canary_models
                .clone()
                .map(|dir| (dir, self.canary_share)),
            queue: self.queue.clamp(1, MAX_QUEUE),
            strips: self.strips.clamp(1, MAX_STRIPS),
            timeout: Duration::from_millis(self.timeout_ms.into()),
            sure: self.sure,
            fields,
        }
    }
}

impl OcrField {
    /// `None` where there is no making sense of its place.
    fn resolve(
        &self,
        key: &str,
        camera: &CameraPlan,
        problems: &mut Problems,
    ) -> Option<FieldPlan> {
        if self.name.trim().is_empty() {
            problems.add(
                format!("{key}.name"),
                "the field has no name, by which events would tell it",
                "write name = \"…\"",
            );
        }
        if !matches!(self.turn_deg, 0 | 90 | 180 | 270) {
            problems.add(
                format!("{key}.turn-deg"),
                format!("{} degrees", self.turn_deg),
                "write 0, 90, 180 or 270: what is askew with its code is straightened anyway",
            );
        }
        let wanted = self.wanted(key, problems);
        let date = self.date.as_deref().and_then(|date| {
            DateFormat::parse(date)
                .inspect_err(|fault| {
                    problems.add(
                        format!("{key}.date"),
                        *fault,
                        "write it as \"DD.MM.YYYY\", \"YYYY-MM-DD\", \"MM/YY\" or \"DD MMM YY\"",
                    );
                })
                .ok()
        });
        let place = self.place(key, camera, problems)?;
        Some(FieldPlan {
            name: self.name.clone(),
            place,
            turns: (self.turn_deg / 90 % 4) as usize,
            wanted: Arc::new(wanted?),
            prefix: self.prefix.clone().filter(|prefix| !prefix.is_empty()),
            date,
            written: self.clone(),
        })
    }

    /// What the reader is told: characters, and the pattern of the whole line.
    fn wanted(&self, key: &str, problems: &mut Problems) -> Option<Wanted> {
        if self.pattern.is_some() && self.date.is_some() {
            problems.add(
                format!("{key}.date"),
                "the field has a pattern already",
                "keep `pattern` or `date`",
            );
            return None;
        }
        let (value, of) = match (&self.pattern, &self.date) {
            (Some(pattern), _) => (Some(pattern.clone()), "pattern"),
            (None, Some(date)) => (Some(DateFormat::parse(date).ok()?.pattern()), "date"),
            (None, None) => (None, "prefix"),
        };
        let pattern = match value {
            None => None,
            Some(value) => {
                let mut whole = String::new();
                for c in self.prefix.iter().flat_map(|prefix| prefix.chars()) {
                    escape(c, &mut whole);
                }
                whole.push_str(&format!("({value})"));
                match Pattern::parse(&whole) {
                    Ok(pattern) => Some(pattern),
                    Err(error) => {
                        problems.add(
                            format!("{key}.{of}"),
                            error.to_string(),
                            "write characters, classes as [0-9A-Z], groups, | and counts as {1,10}",
                        );
                        return None;
                    }
                }
            }
        };
        Some(Wanted {
            characters: match self.characters {
                Characters::Digits => ocr::Characters::Digits,
                Characters::Ascii => ocr::Characters::Ascii,
                Characters::Full => ocr::Characters::Full,
            },
            pattern,
        })
    }

    fn place(&self, key: &str, camera: &CameraPlan, problems: &mut Problems) -> Option<FieldPlace> {
        let before = problems.0.len();
        for (name, given) in [
            ("code-prefix", self.code_prefix.is_some()),
            ("code-regex", self.code_regex.is_some()),
            ("code-ai", self.code_ai.is_some()),
        ] {
            if given && self.find != Find::Code {
                problems.add(
                    format!("{key}.{name}"),
                    "the field does not stand beside a code",
                    "take it out, or write find = \"code\"",
                );
            }
        }
        let Some([left, top, width, height]) = self.place else {
            if self.find == Find::Search {
                return Some(FieldPlace::Search(None));
            }
            problems.add(
                format!("{key}.box"),
                "nothing says where the field is",
                match self.find {
                    Find::Code => {
                        "write box = [left, top, width, height] in modules of the code, from its upper left corner"
                    }
                    _ => "write box = [left, top, width, height] in pixels of the picture",
                },
            );
            return None;
        };
        let reach = match self.find {
            Find::Code => MAX_MODULES,
            _ => 16_384.0,
        };
        let sane = [left, top].iter().all(|v| v.abs() <= reach)
            && [width, height].iter().all(|v| *v > 0.0 && *v <= reach);
        if !sane {
            problems.add(
                format!("{key}.box"),
                format!("[{left}, {top}, {width}, {height}] is no box"),
                format!("width and height are more than 0, and nothing is beyond {reach}"),
            );
        }
        let inside = left >= 0.0
            && top >= 0.0
            && left + width <= camera.width as f32
            && top + height <= camera.height as f32;
        if sane && self.find != Find::Code && !inside {
            problems.add(
                format!("{key}.box"),
                format!(
                    "it reaches beyond the picture of {}x{}",
                    camera.width, camera.height
                ),
                "keep left + width and top + height within it",
            );
        }
        if let Some(ai) = &self.code_ai
            && !is_ai(ai)
        {
            problems.add(
                format!("{key}.code-ai"),
                format!("\"{ai}\" is no application identifier"),
                "write its two to four digits, as \"10\"",
            );
        }
        let regex = self.code_regex.as_deref().and_then(|text| {
            whole(text)
                .inspect_err(|error| {
                    let fault = error.to_string();
                    problems.add(
                        format!("{key}.code-regex"),
                        fault.lines().last().unwrap_or_default(),
                        "write a regular expression as Rust's regex crate has them",
                    );
                })
                .ok()
        });
        let place = [left, top, width, height];
        (problems.0.len() == before).then(|| match self.find {
            Find::Code => FieldPlace::Code {
                modules: place,
                which: CodeAnchor {
                    prefix: self.code_prefix.clone(),
                    regex,
                    ai: self.code_ai.clone(),
                },
            },
            Find::Region => FieldPlace::Region(place),
            Find::Search => FieldPlace::Search(Some(place)),
        })
    }
}

/// Is this what a GS1 application identifier looks like?
pub(in crate::config) fn is_ai(text: &str) -> bool {
    (2..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(all(test, feature = "ocr"))]
mod tests {
    use crate::config::{Config, FieldPlace, Problem};

    fn faults(text: &str) -> Vec<Problem> {
        match Config::parse(text) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.0,
        }
    }

    #[test]
    fn a_field_says_where_it_is_and_what_stands_there() {
        let text = "[[ocr.field]]\nname = \"lot\"\nbox = [0.0, 26.0, 25, 3]\ncode-ai = \"10\"\n\
                    prefix = \"LOT \"\npattern = \"[A-Z0-9]{1,20}\"\n\
                    [[ocr.field]]\nname = \"exp\"\nfind = \"region\"\nbox = [10, 20, 300, 40]\n\
                    date = \"DD.MM.YYYY\"\nturn-deg = 90\n\
                    [[ocr.field]]\nname = \"all\"\nfind = \"search\"\ncharacters = \"full\"\n";
        let config = Config::parse(text).unwrap_or_else(|p| panic!("{p}"));
        let plan = config.plan().unwrap().ocr;
        let [lot, exp, all] = &plan.fields[..] else {
            panic!("three fields: {plan:?}");
        };
        assert!(
            matches!(&lot.place, FieldPlace::Code { modules: [0.0, 26.0, 25.0, 3.0], which }
            if which.ai.as_deref() == Some("10"))
        );
        assert_eq!(lot.prefix.as_deref(), Some("LOT "));
        assert!(lot.wanted.pattern.is_some() && all.wanted.pattern.is_none());
        assert!(matches!(exp.place, FieldPlace::Region(_)) && exp.turns == 1);
        assert!(exp.date.is_some());
        assert!(matches!(all.place, FieldPlace::Search(None)));
    }

    #[test]
    fn each_fault_of_a_field_names_its_key_and_line() {
        let field =
            |lines: &str| format!("[[ocr.field]]\nname = \"a\"\nbox = [0, 0, 9, 3]\n{lines}");
        for (text, line, key) in [
            ("ocr.wait-ms = 20000".into(), 1, "ocr.wait-ms"),
            ("ocr.queue = 0".into(), 1, "ocr.queue"),
            ("ocr.strips = 0".into(), 1, "ocr.strips"),
            ("ocr.timeout-ms = 1".into(), 1, "ocr.timeout-ms"),
            ("ocr.sure = 1.5".into(), 1, "ocr.sure"),
            ("ocr.models = \"here\"".into(), 1, "ocr.models"),
            (
                "ocr.fallback-models = \"here\"".into(),
                1,
                "ocr.fallback-models",
            ),
            ("ocr.canary-share = 2".into(), 1, "ocr.canary-share"),
            (
                "[[ocr.field]]\nbox = [0, 0, 9, 3]".into(),
                1,
                "ocr.field[0].name",
            ),
            ("[[ocr.field]]\nname = \"a\"".into(), 1, "ocr.field[0].box"),
            (field("turn-deg = 45"), 4, "ocr.field[0].turn-deg"),
            (field("pattern = \"(\""), 4, "ocr.field[0].pattern"),
            (field("date = \"DD.MM\""), 4, "ocr.field[0].date"),
            (
                field("pattern = \"a\"\ndate = \"MM/YY\""),
                5,
                "ocr.field[0].date",
            ),
            (field("code-regex = \"(\""), 4, "ocr.field[0].code-regex"),
            (field("code-ai = \"lot\""), 4, "ocr.field[0].code-ai"),
            (
                field("find = \"region\"\ncode-ai = \"10\""),
                5,
                "ocr.field[0].code-ai",
            ),
            (
                "[[ocr.field]]\nname = \"a\"\nfind = \"region\"\nbox = [1200, 0, 200, 20]".into(),
                4,
                "ocr.field[0].box",
            ),
            (
                "[[ocr.field]]\nname = \"a\"\nbox = [0, 0, 0, 20]".into(),
                3,
                "ocr.field[0].box",
            ),
            (
                format!(
                    "{}[[ocr.field]]\nname = \"a\"\nfind = \"search\"",
                    field("")
                ),
                5,
                "ocr.field[1].name",
            ),
            (field("patern = \"a\""), 4, "ocr.field[0].patern"),
            (field("find = \"kode\""), 4, "ocr.field[0].find"),
        ] {
            let found = faults(&text);
            let found: Vec<_> = found
                .iter()
                .map(|p| (p.line.unwrap_or(0), &*p.key))
                .collect();
            assert_eq!(found, [(line, key)], "{text}");
        }
        let cure = |text: &str| faults(&field(text)).remove(0).cure;
        assert!(cure("patern = \"a\"").contains("`pattern`"));
        assert!(cure("find = \"kode\"").contains("\"code\""));
    }

    #[test]
    fn a_rule_may_ask_of_a_field_and_of_nothing_else() {
        let field = "[[ocr.field]]\nname = \"lot\"\nbox = [0, 0, 9, 3]\n";
        let rule = |lines: &str| format!("{field}[[rule]]\nname = \"r\"\n{lines}");
        for (text, key, cure) in [
            (rule("field = \"lto\""), "rule[0].field", "\"lot\""),
            (rule("equals-ai = \"10\""), "rule[0].equals-ai", "field"),
            (
                rule("field = \"lot\"\nequals-ai = \"x\""),
                "rule[0].equals-ai",
                "digits",
            ),
            (rule("field = \"lot\"\ngs1 = true"), "rule[0].gs1", "codes"),
            (rule("if-missing = \"pass\""), "rule[0].if-missing", "field"),
        ] {
            let found = faults(&text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!(found[0].key, key, "{text}");
            assert!(found[0].cure.contains(cure), "{}", found[0]);
        }
        assert_eq!(faults(&rule("field = \"lot\"\nequals-ai = \"10\"")), []);
    }
}
