//! Whole files: the documented one, the examples, files with faults, and files
//! that are none.

use proptest::prelude::*;

use super::*;

const DOCUMENTED: &str = include_str!("../../config/beltscan.toml");

/// The documented file with its defaults, or with its defaults and examples, as
/// keys instead of comments.
fn uncommented(examples: bool) -> String {
    DOCUMENTED
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
            Some(example) if examples && example.starts_with("     ") => example,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn faults(text: &str) -> Vec<(usize, String)> {
    Config::parse(text)
        .expect_err("has faults")
        .0
        .into_iter()
        .map(|p| (p.line.unwrap_or(0), p.key))
        .collect()
}

fn only_fault(text: &str) -> Problem {
    let mut problems = Config::parse(text).expect_err("has a fault").0;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    assert_eq!(Config::parse(DOCUMENTED).unwrap(), Config::default());
    assert_eq!(
        Config::parse(&uncommented(false)).unwrap(),
        Config::default()
    );
}

#[test]
fn every_key_is_documented_and_nothing_else_is() {
    let text = uncommented(true);
    // Deserialised only: the files that examples name are not there.
    let whole: Config = toml::from_str(&text).unwrap();
    assert_ne!(whole, Config::default());
    let table: toml::Table = toml::from_str(&text).unwrap();
    let mut documented = Vec::new();
    leaves("", &table, &mut documented);
    documented.sort();
    let mut known = keys::known();
    known.sort();
    assert_eq!(documented, known);
}

fn leaves(prefix: &str, table: &toml::Table, keys: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => leaves(&format!("{prefix}{key}."), inner, keys),
            toml::Value::Array(array) if array.iter().any(toml::Value::is_table) => {
                for inner in array.iter().filter_map(toml::Value::as_table) {
                    leaves(&format!("{prefix}{key}."), inner, keys);
                }
            }
            _ => keys.push(format!("{prefix}{key}")),
        }
    }
}

#[test]
fn every_example_is_a_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let config = Config::load(&path).unwrap_or_else(|p| panic!("{}:\n{p}", path.display()));
        config.plan().unwrap();
        names.push(path.file_name().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "bench.toml",
            "handheld.toml",
            "label-check.toml",
            "pi-line.toml"
        ]
    );
}

#[test]
fn all_faults_of_a_file_are_told_at_once_with_their_lines() {
    let text = r#"
[camera]
source = "v4l3"
fsp = 60
width = "wide"
exposure-us = -5
gain = nan
[read]
deadline-ms = -1
threads = 1000
[[rule]]
name = "first"
[[rule]]
regexp = "a"
regex = "("
length = 1.5
[item]
decide = "sometimes"
[output.file]
[log]
level = "loud"
[broker]
url = "x"
"#;
    let expected = [
        (3, "camera.source"),
        (4, "camera.fsp"),
        (5, "camera.width"),
        (6, "camera.exposure-us"),
        (7, "camera.gain"),
        (9, "read.deadline-ms"),
        (10, "read.threads"),
        (13, "rule[1].name"),
        (14, "rule[1].regexp"),
        (15, "rule[1].regex"),
        (16, "rule[1].length"),
        (18, "item.decide"),
        (19, "output.file.path"),
        (21, "log.level"),
        (22, "broker"),
    ];
    let found = faults(text);
    let found: Vec<_> = found.iter().map(|(line, key)| (*line, &**key)).collect();
    assert_eq!(found, expected);
    for problem in Config::parse(text).unwrap_err().0 {
        assert!(
            !problem.message.is_empty() && !problem.cure.is_empty(),
            "{problem}"
        );
    }
}

#[test]
fn an_unknown_key_is_told_what_was_meant() {
    for (text, meant) in [
        ("[camera]\nfsp = 1", "`fps`"),
        ("[camera]\nexposure_us = 1", "`exposure-us`"),
        ("[camra]\nfps = 1", "`camera`"),
        ("camera.belt.sed = 1", "`seed`"),
        ("[read]\nexposure-us = 1", "`camera.exposure-us`"),
        ("fps = 1", "`camera.fps`"),
        ("[log]\nzebra = 1", "keys of [log]: level, format"),
        ("[item]\ndecide = \"leaves\"", "\"leave\""),
        ("[camera]\nfocus = \"near\"", "a number"),
        ("[mqtt]\nversion = 5", "in double quotes"),
        ("[camera]\nrepeat = \"yes\"", "true or false"),
        ("camera = 5", "section"),
        ("[rule]\nname = \"a\"", "[[name]]"),
    ] {
        let problem = only_fault(text);
        assert!(problem.cure.contains(meant), "{text}: {problem}");
    }
}

#[test]
fn faults_of_syntax_are_told_together_and_with_the_others() {
    let text = "[camera]\nwidth = \nfps = 1 2\nhigh = 5\nheight = 800\nheight = 900\n";
    let found = faults(text);
    let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 6], "{found:?}");
}

#[test]
fn a_broken_header_says_nothing_of_the_keys_below_it() {
    assert_eq!(faults("[camera\nfps = 30\n"), [(1, String::new())]);
}

#[test]
fn what_is_not_text_or_too_large_is_refused() {
    let problem = &text::from_bytes(b"[camera]\n# \xff\n".to_vec())
        .unwrap_err()
        .0[0];
    assert_eq!(problem.line, Some(2));
    let long = "# x\n".repeat(text::MAX_BYTES / 4 + 1);
    assert!(only_fault(&long).message.contains("bytes"));
    let folder = tempfile::tempdir().unwrap();
    for unreadable in [folder.path().join("absent.toml"), folder.path().into()] {
        let problems = Config::load(&unreadable).unwrap_err();
        assert!(problems.to_string().contains("cannot read"), "{problems}");
    }
    let endless = Config::load(Path::new("/dev/zero")).unwrap_err();
    assert!(endless.to_string().contains("bytes"), "{endless}");
}

#[test]
fn a_file_of_nothing_but_faults_ends() {
    let text: String = (0..5000).map(|nth| format!("key{nth} = 1\n")).collect();
    let problems = Config::parse(&text).unwrap_err();
    assert!((10..=200).contains(&problems.0.len()));
    assert!(problems.to_string().contains("cure these first"));
}

#[test]
fn the_hash_tells_meanings_apart_not_spellings() {
    let hash = |text| Config::parse(text).unwrap().hash();
    assert_eq!(hash(""), hash("# a comment\n[camera]\nwidth = 1_280\n"));
    assert_ne!(hash(""), hash("[camera]\nwidth = 1281\n"));
    assert_eq!(hash("").len(), 64);
}

proptest! {
    #[test]
    fn bytes_are_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = text::from_bytes(bytes) {
            let _ = Config::parse(&text);
        }
    }

    /// Fragments of TOML in any order come far deeper than random bytes.
    #[test]
    fn fragments_are_never_a_panic_and_faults_have_lines(
        fragments in proptest::collection::vec(
            prop_oneof![
                Just("[camera]\n"), Just("[camera.belt]\n"), Just("[[rule]]\n"), Just("[rule]\n"),
                Just("[output.file]\n"), Just("[item"), Just("]\n"), Just("fps = "), Just("rate = "),
                Just("focus = "), Just("1"), Just("-1e400"), Just("nan"), Just("\"x\""), Just("'''"),
                Just("{ a = 1 }"), Just("[1, {b.c = []}]"), Just("1979-05-27"), Just("\n"), Just("."),
                Just("\"\\u0000.[9]\" = 0\n"), Just("é = "), Just("= "), Just("#"), Just("command = "),
                Just("length = "), Just("18446744073709551616"), Just("name = "), Just("\r\n"),
            ], 0..30)
    ) {
        let text = fragments.concat();
        let lines = text.lines().count().max(1);
        if let Err(problems) = Config::parse(&text) {
            prop_assert!(!problems.is_empty());
            for problem in problems.0 {
                prop_assert!(problem.line.is_none_or(|line| line <= lines + 1), "{}", problem);
            }
        }
    }

    /// Values of the right kind but of any size give a plan or faults.
    #[test]
    fn numbers_of_any_size_are_never_a_panic(
        key in prop::sample::select(keys::known()),
        number in prop_oneof![any::<i64>().prop_map(|n| n.to_string()),
                              any::<f32>().prop_map(|n| format!("{n:e}")),
                              Just("\"\"".to_owned()), Just("\"a/b\"".to_owned())],
    ) {
        let text = match key.strip_prefix("rule.") {
            Some(key) => format!("[[rule]]\n{key} = {number}"),
            None => match key.strip_prefix("ocr.field.") {
                Some(key) => format!("[[ocr.field]]\nname = \"a\"\n{key} = {number}"),
                None => format!("{key} = {number}"),
            },
        };
        let _ = Config::parse(&text);
    }
}
