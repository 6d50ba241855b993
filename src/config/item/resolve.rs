//! `[item]`, `[[rule]]` and `[noread]` from what is written to what will be done.

use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::{Expected, Item, ItemPlan, NoReads, NoReadsPlan, Rule, RulePlan};
use super::{FieldRule, IfMissing};
use crate::config::ocr::is_ai;
use crate::config::{BeltPlan, CameraPlan, OcrPlan, Problems, ReadPlan, keys};

/// Largest file of expected texts, in bytes: about two million of them.
const MAX_EXPECTED_BYTES: u64 = 64 << 20;

impl Item {
    /// Checks every range and turns millimetres into pixels.
    pub fn resolve(
        &self,
        camera: &CameraPlan,
        belt: &BeltPlan,
        read: &ReadPlan,
        problems: &mut Problems,
    ) -> ItemPlan {
        let mut within = |key: &str, value: f32, range: RangeInclusive<f32>| {
            if !range.contains(&value) {
                problems.add(
                    format!("item.{key}"),
                    format!("{value} is out of range"),
                    format!("write {} to {}", range.start(), range.end()),
                );
            }
        };
        within("group-mm", self.group_mm, 0.0..=10_000.0);
        within("group-px", self.group_px, 0.0..=100_000.0);
        within("lost-ms", self.lost_ms as f32, 1.0..=3_600_000.0);
        within("confirm-frames", self.confirm_frames as f32, 1.0..=100.0);
        within("line", self.line, 0.0..=1.0);
        within("window-ms", self.window_ms as f32, 1.0..=600_000.0);
        if self.group_mm > 0.0 && belt.px_per_mm.is_none() {
            problems.add(
                "item.group-mm",
                "the scale is not known",
                "set belt.px-per-mm, or use item.group-px",
            );
        }
        if self.group_mm > 0.0 && self.group_px > 0.0 {
            problems.add(
                "item.group-px",
                "the distance is given twice",
                "keep item.group-mm or item.group-px",
            );
        }
        let px_s = belt
            .speed_m_s
            .zip(belt.px_per_mm)
            .map(|(v, px)| v * 1000.0 * px);
        ItemPlan {
            group_px: match belt.px_per_mm {
                Some(px_per_mm) if self.group_mm > 0.0 => self.group_mm * px_per_mm,
                _ => self.group_px,
            },
            lost: Duration::from_millis(self.lost_ms.into()),
            decide: self.decide,
            confirm_frames: self.confirm_frames.max(1),
            fusion: self.fusion,
            look: read.look(),
            line: self.line,
            trigger: self.trigger,
            window: Duration::from_millis(self.window_ms.into()),
            belt_px_s: px_s.zip(belt.direction_rad).map(|(speed, direction)| {
                let (sin, cos) = direction.sin_cos();
                (speed * cos, speed * sin)
            }),
            direction_rad: belt.direction_rad,
            width: camera.width,
            height: camera.height,
        }
    }
}

impl Rule {
    /// Compiles the expression and reads the file of expected texts. `key` is the
    /// rule's place in the configuration, as `rule[0]`, and `ocr` has the fields
    /// that it may ask of.
    pub fn resolve(&self, key: &str, ocr: &OcrPlan, problems: &mut Problems) -> RulePlan {
        if self.name.trim().is_empty() {
            problems.add(
                format!("{key}.name"),
                "the rule has no name, by which events would tell it",
                "write name = \"…\"",
            );
        }
        let regex = self.regex.as_deref().and_then(|text| {
            whole(text)
                .inspect_err(|error| {
                    let fault = error.to_string();
                    problems.add(
                        format!("{key}.regex"),
                        fault.lines().last().unwrap_or_default(),
                        "write a regular expression as Rust's regex crate has them",
                    );
                })
                .ok()
        });
        let mut expected: Expected = self.expected.iter().cloned().collect();
        if let Some(path) = &self.expected_file {
            let mut text = String::new();
            match std::fs::File::open(path)
                .and_then(|file| file.take(MAX_EXPECTED_BYTES + 1).read_to_string(&mut text))
            {
                Ok(bytes) if bytes as u64 > MAX_EXPECTED_BYTES => problems.add(
                    format!("{key}.expected-file"),
                    format!(
                        "{} is larger than {} MB",
                        path.display(),
                        MAX_EXPECTED_BYTES >> 20
                    ),
                    "list fewer texts",
                ),
                Ok(_) => expected.extend(
                    text.lines()
                        .filter(|line| !line.is_empty())
                        .map(str::to_owned),
                ),
                Err(error) => problems.add(
                    format!("{key}.expected-file"),
                    format!("cannot read {}: {error}", path.display()),
                    "name a text file that the service may read, one text a line",
                ),
            }
        }
        let listed = self.expected_file.is_some() || !self.expected.is_empty();
        RulePlan {
            name: self.name.clone(),
            regex,
            prefix: self.prefix.clone(),
            length: self.length,
            gs1: self.gs1,
            expected: listed.then_some(expected),
            field: self.field_rule(key, ocr, problems),
        }
    }

    fn field_rule(&self, key: &str, ocr: &OcrPlan, problems: &mut Problems) -> Option<FieldRule> {
        let Some(name) = &self.field else {
            for (own, given) in [
                ("equals-ai", self.equals_ai.is_some()),
                ("if-missing", self.if_missing != IfMissing::Fail),
            ] {
                if given {
                    problems.add(
                        format!("{key}.{own}"),
                        "the rule does not ask of a field of text",
                        "name the field: field = \"…\"",
                    );
                }
            }
            return None;
        };
        if self.gs1 {
            problems.add(
                format!("{key}.gs1"),
                "the rule asks of a field of text",
                "ask it of the codes, in a rule of its own without `field`",
            );
        }
        if let Some(ai) = &self.equals_ai
            && !is_ai(ai)
        {
            problems.add(
                format!("{key}.equals-ai"),
                format!("\"{ai}\" is no application identifier"),
                "write its two to four digits, as \"10\"",
            );
        }
        let Some(field) = ocr.fields.iter().find(|field| field.name == *name) else {
            // A field that has faults of its own is told once.
            if problems.0.iter().any(|p| p.key.starts_with("ocr.field")) {
                return None;
            }
            let names = || ocr.fields.iter().map(|field| field.name.as_str());
            let cure = match keys::nearest(name, names()) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => "describe it in an [[ocr.field]] with this name".to_owned(),
            };
            problems.add(
                format!("{key}.field"),
                format!("there is no field \"{name}\""),
                cure,
            );
            return None;
        };
        Some(FieldRule {
            name: name.clone(),
            equals_ai: self.equals_ai.clone(),
            date: field.date.clone(),
            if_missing: self.if_missing,
        })
    }
}

/// The expression that fits where `text` fits the whole.
pub(in crate::config) fn whole(text: &str) -> Result<regex::Regex, regex::Error> {
    let build = |text: &str| regex::RegexBuilder::new(text).size_limit(1 << 20).build();
    // By itself first: in "a)(?:b" a stray bracket would pair with ours and leave
    // half of it without an anchor.
    build(text)?;
    // A comment at its end, as (?x) has them, swallows the rest of its line.
    build(&format!(r"\A(?:{text})\z")).or_else(|_| build(&format!("\\A(?:{text}\n)\\z")))
}

impl NoReads {
    /// Checks the bounds. Pictures go below `state_dir` where no folder is named.
    pub fn resolve(&self, state_dir: &Path, problems: &mut Problems) -> NoReadsPlan {
        if let Some(dir) = &self.dir
            && !dir.is_absolute()
        {
            problems.add(
                "noread.dir",
                format!("\"{}\" is no absolute path", dir.display()),
                "write it from the root on, as \"/var/lib/beltscan/noread\"",
            );
        }
        for (key, value, most) in [
            ("noread.max-files", self.max_files, 1_000_000),
            ("noread.max-mb", self.max_mb, 1_048_576),
            ("noread.max-age-h", self.max_age_h, 24 * 3650),
        ] {
            if self.save && !(1..=most).contains(&value) {
                problems.add(
                    key,
                    format!("{value} is out of range"),
                    format!("write 1 to {most}, or save = false"),
                );
            }
        }
        NoReadsPlan {
            publish: self.publish,
            dir: self
                .save
                .then(|| self.dir.clone().unwrap_or_else(|| state_dir.join("noread"))),
            max_files: self.max_files,
            max_bytes: u64::from(self.max_mb) << 20,
            max_age: Duration::from_secs(u64::from(self.max_age_h) * 3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn keys(text: &str) -> Vec<String> {
        match Config::parse(text) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.0.into_iter().map(|p| p.key).collect(),
        }
    }

    #[test]
    fn the_belts_motion_becomes_pixels_a_second() {
        let plan = Config::parse(
            "[belt]\nspeed-m-s = 0.5\npx-per-mm = 4\ndirection-deg = 90\n[item]\ngroup-mm = 10\n",
        )
        .unwrap()
        .plan()
        .unwrap();
        let (x, y) = plan.item.belt_px_s.unwrap();
        assert!(x.abs() < 0.01 && (y - 2000.0).abs() < 0.01);
        assert_eq!(plan.item.group_px, 40.0);
    }

    #[test]
    fn each_fault_names_its_key() {
        for (text, key) in [
            ("item.group-mm = 5", "item.group-mm"),
            ("item.line = 1.5", "item.line"),
            ("item.lost-ms = 0", "item.lost-ms"),
            ("item.confirm-frames = 0", "item.confirm-frames"),
            ("item.window-ms = 0", "item.window-ms"),
            ("item.group-px = -1", "item.group-px"),
            ("[[rule]]\ngs1 = true", "rule[0].name"),
            ("[[rule]]\nname = \"a\"\nregex = \"(\"", "rule[0].regex"),
            (
                "[[rule]]\nname = \"a\"\nregex = '(\\w{1000}){1000}'",
                "rule[0].regex",
            ),
            (
                "[[rule]]\nname = \"a\"\nexpected-file = \"/nowhere\"",
                "rule[0].expected-file",
            ),
            ("noread.dir = \"here\"", "noread.dir"),
            ("noread.save = true\nnoread.max-mb = 0", "noread.max-mb"),
        ] {
            assert_eq!(keys(text), [key], "{text}");
        }
    }

    #[test]
    fn an_expression_fits_the_whole_text_or_is_refused() {
        for (regex, fits, fails) in [
            ("A|B", "B", "AB"),
            ("[0-9]+", "12", "12\n"),
            ("(?x) [0-9]+ # digits", "12", "12x"),
            ("(?i)abc", "ABC", "ABCD"),
        ] {
            let regex = super::whole(regex).unwrap();
            assert!(regex.is_match(fits) && !regex.is_match(fails), "{regex}");
        }
        assert!(super::whole("a)(?:b").is_err());
    }

    #[test]
    fn expected_texts_come_from_the_file_and_the_list() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one\r\ntwo\n\n").unwrap();
        let text = format!(
            "[[rule]]\nname = \"a\"\nexpected = [\"three\"]\nexpected-file = {:?}\n\
             [[rule]]\nname = \"b\"\nregex = \"x|y\"\n",
            file.path()
        );
        let plan = Config::parse(&text).unwrap().plan().unwrap();
        let expected = plan.rules[0].expected.as_ref().unwrap();
        assert_eq!(expected.len(), 3);
        assert!(expected.contains("two") && expected.contains("three"));
        assert_eq!(plan.rules[1].expected, None);
        let regex = plan.rules[1].regex.as_ref().unwrap();
        assert!(regex.is_match("y") && !regex.is_match("xz") && !regex.is_match("zy"));
    }
}
