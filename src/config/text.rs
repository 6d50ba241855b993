//! From the text of a configuration file to a [`Config`], with every fault of the
//! file at once, each with its line.
//!
//! serde stops at the first fault. So the file is parsed once into a table that
//! knows where each key stands; a key that serde refuses is noted and taken out
//! of the table, and the rest is tried again. What the values mean together is
//! checked by [`Config::plan`]; this file only finds the lines of what that reports.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, de};

use super::keys;
use super::{Config, Problem, Problems};

/// Largest configuration file in bytes. The documented one has a tenth of it.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// After so many faults it is hardly a configuration file.
const MAX_PROBLEMS: usize = 50;

/// The bytes of a file as text.
pub(super) fn from_bytes(bytes: Vec<u8>) -> Result<String, Problems> {
    if bytes.len() > MAX_BYTES {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|fault| {
        let before = &fault.as_bytes()[..fault.utf8_error().valid_up_to()];
        Problems(vec![Problem {
            key: String::new(),
            line: Some(1 + before.iter().filter(|&&byte| byte == b'\n').count()),
            message: "this line is not UTF-8".into(),
            cure: "save the file as UTF-8 text".into(),
        }])
    })
}

fn too_large() -> Problems {
    let mut problems = Problems::default();
    problems.add(
        "",
        format!("the file has more than {MAX_BYTES} bytes"),
        "move long lists of texts to a file of their own (`expected-file` of a rule)",
    );
    problems
}

/// Fills in the lines of keys that have none.
pub(super) fn locate(text: &str, problems: &mut Problems) {
    let Ok(document) = DeTable::parse(text) else {
        return;
    };
    for problem in &mut problems.0 {
        if problem.line.is_none() {
            problem.line = find_line(document.get_ref(), text, &problem.key);
        }
    }
}

/// Reads `text`; on any fault, all of them in the order of their lines.
pub(super) fn parse(text: &str) -> Result<Config, Problems> {
    if text.len() > MAX_BYTES {
        return Err(too_large());
    }
    let mut problems = Problems::default();
    let (document, faults) = DeTable::parse_recoverable(text);
    let root = document.get_ref();
    for fault in faults.iter().take(MAX_PROBLEMS) {
        problems.0.push(Problem {
            key: String::new(),
            line: fault.span().map(|span| line_of(text, span.start)),
            message: fault.message().to_owned(),
            cure: syntax_cure(fault.message()).to_owned(),
        });
    }
    // After a broken section header nothing says where the keys below it belong.
    let header_broken = faults.iter().any(|fault| {
        fault
            .span()
            .is_none_or(|span| line_at(text, span.start).trim_start().starts_with('['))
    });
    let mut config = None;
    if !header_broken {
        let broken_lines: Vec<_> = problems.0.iter().filter_map(|p| p.line).collect();
        let mut faults = Problems::default();
        refuse_non_finite(root, text, &mut String::new(), &mut faults);
        config = deserialize(&document, text, &mut faults);
        if let Some(Err(meaning)) = config.as_ref().map(Config::plan) {
            for mut problem in meaning.0 {
                problem.line = find_line(root, text, &problem.key);
                // A key that is refused already has its default here.
                if !faults.0.iter().any(|fault| fault.key == problem.key) {
                    faults.0.push(problem);
                }
            }
        }
        faults
            .0
            .retain(|fault| fault.line.is_none_or(|line| !broken_lines.contains(&line)));
        problems.0.append(&mut faults.0);
    }
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            problems.0.sort_by_key(|problem| problem.line);
            Err(problems)
        }
    }
}

/// What is left of the document once every key that serde refuses is taken out.
fn deserialize(
    document: &Spanned<DeTable<'_>>,
    text: &str,
    problems: &mut Problems,
) -> Option<Config> {
    let mut document = document.clone();
    for problem in &problems.0 {
        remove(document.get_mut(), &path_of(&problem.key));
    }
    while problems.0.len() < MAX_PROBLEMS {
        let fault = match Config::deserialize(de::Deserializer::from(document.clone())) {
            Ok(config) => return Some(config),
            Err(fault) => fault,
        };
        let span = fault.span().unwrap_or_default();
        let mut path = Vec::new();
        let found = find(document.get_ref(), &span, &mut path);
        let (message, cure) = explain(&path, fault.message());
        problems.0.push(Problem {
            key: dotted(&path),
            line: found.then(|| line_of(text, span.start)),
            message,
            cure,
        });
        if !found {
            return None;
        }
        remove(document.get_mut(), &path);
    }
    problems.add(
        "",
        format!("more than {MAX_PROBLEMS} faults"),
        "cure these first",
    );
    None
}

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

/// The way to the entry whose key or value stands at `span`, the deepest one.
fn find(table: &DeTable<'_>, span: &Range<usize>, path: &mut Vec<Step>) -> bool {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().to_string()));
        if key.span() == *span || find_value(value, span, path) {
            return true;
        }
        path.pop();
    }
    false
}

fn find_value(value: &Spanned<DeValue<'_>>, span: &Range<usize>, path: &mut Vec<Step>) -> bool {
    match value.get_ref() {
        DeValue::Table(table) if find(table, span, path) => return true,
        DeValue::Array(array) => {
            for (nth, element) in array.iter().enumerate() {
                path.push(Step::Index(nth));
                if find_value(element, span, path) {
                    return true;
                }
                path.pop();
            }
        }
        _ => {}
    }
    value.span() == *span
}

/// Takes the entry out. An element of an array takes the array along: without
/// it, the places of the others would be wrong.
fn remove(table: &mut DeTable<'_>, path: &[Step]) {
    let [Step::Key(first), rest @ ..] = path else {
        return;
    };
    // The map borrows its keys from the file, and so cannot be asked for a
    // key that we own.
    let Some(key) = table.keys().find(|key| key.get_ref() == first).cloned() else {
        return;
    };
    let inner = match (rest, table.get_mut(&key).map(Spanned::get_mut)) {
        ([Step::Key(_), ..], Some(DeValue::Table(inner))) => Some((inner, rest)),
        ([Step::Index(nth), rest @ ..], Some(DeValue::Array(array))) if !rest.is_empty() => {
            match array.get_mut(*nth).map(Spanned::get_mut) {
                Some(DeValue::Table(inner)) => Some((inner, rest)),
                _ => None,
            }
        }
        _ => None,
    };
    match inner {
        Some((inner, rest)) => remove(inner, rest),
        None => {
            table.remove(&key);
        }
    }
}

/// `rule[0].regex`
fn dotted(path: &[Step]) -> String {
    let mut dotted = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !dotted.is_empty() {
                    dotted.push('.');
                }
                // A key in quotes may be anything at all.
                dotted.extend(key.escape_debug().take(60));
            }
            Step::Index(nth) => dotted.push_str(&format!("[{nth}]")),
        }
    }
    dotted
}

/// The way back from [`dotted`], for keys without dots and brackets of their own.
fn path_of(dotted: &str) -> Vec<Step> {
    let mut path = Vec::new();
    for part in dotted.split('.').filter(|part| !part.is_empty()) {
        let (key, indices) = part.split_once('[').unwrap_or((part, ""));
        path.push(Step::Key(key.to_owned()));
        path.extend(
            indices
                .split(['[', ']'])
                .filter_map(|nth| nth.parse().ok())
                .map(Step::Index),
        );
    }
    path
}

/// The line of `key`, or of the nearest table around it that the file has.
fn find_line(root: &DeTable<'_>, text: &str, key: &str) -> Option<usize> {
    let mut table = root;
    let mut line = None;
    let mut path = path_of(key).into_iter().peekable();
    while let Some(Step::Key(step)) = path.next() {
        let (at, value) = table.iter().find(|(at, _)| *at.get_ref() == step)?;
        line = Some(line_of(text, at.span().start));
        let mut value = value;
        while let Some(Step::Index(nth)) = path.peek() {
            let nth = *nth;
            path.next();
            let DeValue::Array(array) = value.get_ref() else {
                return line;
            };
            let Some(element) = array.get(nth) else {
                return line;
            };
            value = element;
            line = Some(line_of(text, value.span().start));
        }
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return line,
        }
        if path.peek().is_some_and(
            |next| matches!(next, Step::Key(key) if table.keys().all(|at| at.get_ref() != key)),
        ) {
            return line;
        }
    }
    line
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

fn line_at(text: &str, offset: usize) -> &str {
    text.lines()
        .nth(line_of(text, offset) - 1)
        .unwrap_or_default()
}

/// TOML knows `inf` and `nan`, and numbers beyond `f32`; no key can mean them.
fn refuse_non_finite(table: &DeTable<'_>, text: &str, key: &mut String, problems: &mut Problems) {
    fn value(at: &Spanned<DeValue<'_>>, text: &str, key: &mut String, problems: &mut Problems) {
        match at.get_ref() {
            DeValue::Float(float) => {
                let number: f64 = float.as_str().parse().unwrap_or(f64::NAN);
                let usable = number.is_finite() && number.abs() <= f64::from(f32::MAX);
                if !usable && problems.0.len() < MAX_PROBLEMS {
                    problems.0.push(Problem {
                        key: key.clone(),
                        line: Some(line_of(text, at.span().start)),
                        message: format!("{} is no number that can be used here", float.as_str()),
                        cure: "write a plain number, as 12.5".into(),
                    });
                }
            }
            DeValue::Array(array) => {
                let length = key.len();
                for (nth, element) in array.iter().enumerate() {
                    key.push_str(&format!("[{nth}]"));
                    value(element, text, key, problems);
                    key.truncate(length);
                }
            }
            DeValue::Table(inner) => refuse_non_finite(inner, text, key, problems),
            _ => {}
        }
    }
    let length = key.len();
    for (name, at) in table {
        let step = dotted(&[Step::Key(name.get_ref().to_string())]);
        if !key.is_empty() {
            key.push('.');
        }
        key.push_str(&step);
        value(at, text, key, problems);
        key.truncate(length);
    }
}

fn syntax_cure(message: &str) -> &'static str {
    if message.contains("duplicate") {
        "keep one of the two"
    } else {
        "write `key = value`, with text in double quotes and lists in brackets"
    }
}

/// serde's message in an operator's words, and a cure.
fn explain(path: &[Step], message: &str) -> (String, String) {
    let name = match path.last() {
        Some(Step::Key(key)) => key.as_str(),
        _ => "",
    };
    if let Some(known) = message.strip_prefix(&format!("unknown field `{name}`, ")) {
        let known = backticked(known);
        return (
            "there is no such key".into(),
            unknown_key_cure(path, name, &known),
        );
    }
    if let Some(rest) = message.strip_prefix("unknown variant `")
        && let Some(end) = rest.rfind("`, expected ")
    {
        let written = &rest[..end];
        let known = backticked(&rest[end + 2..]);
        let cure = match keys::nearest(written, known.iter().copied()) {
            Some(nearest) => format!("did you mean \"{nearest}\"?"),
            None => "choose another".into(),
        };
        return (
            format!("\"{}\" is not known here", written.escape_debug()),
            format!("{cure} (known: {})", known.join(", ")),
        );
    }
    let expected = message
        .rsplit_once(", expected ")
        .map_or(message, |(_, expected)| expected);
    let found = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
        .map_or_else(
            || "this value does not fit".into(),
            |(found, _)| format!("{} does not fit", found.replace('`', "")),
        );
    (found, format!("write {}", in_words(expected)))
}

/// What serde expects, in an operator's words.
fn in_words(expected: &str) -> Cow<'static, str> {
    let whole = |most: u64| format!("a whole number from 0 to {most}");
    match expected {
        "f32" | "f64" => "a number, as 12.5".into(),
        "u8" => whole(u8::MAX.into()).into(),
        "u16" => whole(u16::MAX.into()).into(),
        "u32" => whole(u32::MAX.into()).into(),
        "u64" | "usize" => "a whole number, 0 or more".into(),
        "a boolean" => "true or false".into(),
        "a string" => "a text in double quotes".into(),
        "path string" => "a path in double quotes".into(),
        "a sequence" => {
            "a list, as [\"one\", \"two\"], or [[name]] for a section that repeats".into()
        }
        "wanted string or table" => "it as a text in double quotes".into(),
        _ if expected.starts_with("struct ") => {
            "it as a section of its own, with its keys below".into()
        }
        _ if expected.ends_with("untagged enum Focus") => "\"leave\", \"auto\" or a number".into(),
        _ if expected.ends_with("untagged enum ReplayRate") => {
            "\"own\", \"asap\" or frames a second".into()
        }
        other => other.to_owned().into(),
    }
}

fn unknown_key_cure(path: &[Step], name: &str, known: &[&str]) -> String {
    if let Some(nearest) = keys::nearest(name, known.iter().copied()) {
        return format!("did you mean `{nearest}`?");
    }
    // Right name, wrong section.
    let elsewhere: Vec<_> = keys::known()
        .into_iter()
        .filter(|key| key.rsplit('.').next() == Some(name))
        .collect();
    if !elsewhere.is_empty() {
        return format!("there is `{}`", elsewhere.join("` and `"));
    }
    let place = match path {
        [_] => "sections".to_owned(),
        _ => format!("keys of [{}]", dotted(&path[..path.len() - 1])),
    };
    format!("remove it; {place}: {}", known.join(", "))
}

/// The names between backticks.
fn backticked(list: &str) -> Vec<&str> {
    list.split('`').skip(1).step_by(2).collect()
}
