//! Text end to end: a synthetic belt of labels with lot and expiry printed below
//! their codes, some of them wrong on purpose; the daemon reads both and its rules
//! find the wrong ones.
#![cfg(feature = "ocr")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use std::time::Duration;

use beltscan::camera::belt::BeltCamera;
use beltscan::camera::{Grab, Source};
use beltscan::config::{Config, SourcePlan};
use beltscan::frame::Pool;
use serde_json::Value;

/// As fast as frames are taken: everything is waited for, so that what comes out
/// does not hang on the machine.
const BELT: &str = r#"
[camera]
source = "belt"
width = 1280
height = 800
fps = 60
exposure-us = 250
[camera.belt]
seed = 7
items = 12
real-time = false
print = true
misprint-every = 4
"#;

const TEXT: &str = r#"
[[ocr.field]]
name = "lot"
box = [-4, 33, 37, 6.2]
code-ai = "10"
prefix = "LOT "
pattern = "[A-Z][0-9]{6}"
[[ocr.field]]
name = "exp"
box = [-4, 40, 37, 6.2]
prefix = "EXP "
date = "DD.MM.YY"
[[rule]]
name = "lot"
field = "lot"
equals-ai = "10"
[[rule]]
name = "expiry"
field = "exp"
equals-ai = "17"
"#;

fn write(folder: &Path, rest: &str) -> PathBuf {
    let config = folder.join("beltscan.toml");
    let (state, events) = (folder.join("state"), folder.join("events.jsonl"));
    let text = format!(
        "{BELT}\n{rest}\n[service]\nstate-dir = {state:?}\n[output.file]\npath = {events:?}\n"
    );
    std::fs::write(&config, text).expect("written");
    config
}

/// Runs the daemon until the belt has come to its end.
fn run(config: &Path) -> (Output, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_beltscan"))
        .args(["run", "--config"])
        .arg(config)
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .stdin(Stdio::null())
        .output()
        .expect("starts");
    let events = std::fs::read_to_string(config.with_file_name("events.jsonl"));
    let events = events
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    (output, events)
}

/// By the code's text, whether its label is printed wrong.
fn truth(config: &Path) -> HashMap<String, bool> {
    let plan = Config::load(config).expect("valid").plan().expect("a plan");
    let SourcePlan::Belt(belt) = &plan.camera.source else {
        panic!("a belt");
    };
    let camera = BeltCamera::open(&plan.camera, belt).expect("opens");
    let truth = camera.truth();
    truth
        .items()
        .map(|item| (item.texts[0].clone(), item.misprint))
        .collect()
}

#[test]
fn labels_printed_wrong_are_found_and_right_ones_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write(folder.path(), TEXT);
    let labels = truth(&config);
    let (output, events) = run(&config);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert_eq!(events.len(), labels.len(), "{log}");
    let schema: Value =
        serde_json::from_str(include_str!("../config/schema/read.json")).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let (mut found, mut passed) = (0, 0);
    for event in &events {
        if let Err(fault) = schema.validate(event) {
            panic!("{fault}: {event}");
        }
        let text = event["codes"][0]["text"].as_str().expect("text");
        let misprint = labels[text];
        let verdict = &event["verdict"];
        assert_eq!(event["ocr_skipped"], Value::Null, "{event}");
        assert_eq!(event["ocr"].as_array().map(Vec::len), Some(2), "{event}");
        assert_eq!(verdict["pass"], !misprint, "{event}");
        if misprint {
            found += 1;
            let mismatch = &verdict["mismatch"];
            let ai = mismatch["ai"].as_str().expect("an identifier");
            assert_eq!(mismatch["encoded"], event["codes"][0]["gs1"][ai]);
            assert_ne!(mismatch["printed"], mismatch["encoded"]);
        } else {
            passed += 1;
            let lot = event["codes"][0]["gs1"]["10"].as_str().expect("a lot");
            assert_eq!(event["ocr"][0]["text"], lot);
        }
    }
    assert_eq!((found, passed), (3, 9));
    // The same belt gives the same again. (Not to the pixel: on a busy machine a frame
    // more or less of a code is read before its deadline.)
    std::fs::remove_dir_all(folder.path().join("state")).expect("was there");
    std::fs::remove_file(folder.path().join("events.jsonl")).expect("was there");
    let (_, again) = run(&config);
    let facts = |events: &[Value]| -> Vec<Value> {
        let texts = |list: &Value| -> Vec<Value> {
            let list = list.as_array().into_iter().flatten();
            list.map(|told| told["text"].clone()).collect()
        };
        let fact = |e: &Value| (texts(&e["codes"]), texts(&e["ocr"]), e["verdict"].clone());
        events.iter().map(|e| serde_json::json!(fact(e))).collect()
    };
    assert_eq!(facts(&events), facts(&again));
}

#[test]
fn lines_are_found_where_nobody_said_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[item]\ndecide = \"leave\"\n[[ocr.field]]\nname = \"any\"\nfind = \"search\"\n";
    let config = write(folder.path(), text);
    let short = std::fs::read_to_string(&config).expect("was written");
    std::fs::write(&config, short.replace("items = 12", "items = 3")).expect("written");
    let (output, events) = run(&config);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert_eq!(events.len(), 3, "{log}");
    // Print of all that is in view, the neighbours' too.
    let lines: Vec<String> = events
        .iter()
        .flat_map(|event| {
            let elements = &event["codes"][0]["gs1"];
            let [lot, date] = ["10", "17"].map(|ai| elements[ai].as_str().expect("is there"));
            let date = format!("EXP {}.{}.{}", &date[4..], &date[2..4], &date[..2]);
            [format!("LOT {lot}"), date]
        })
        .collect();
    let told = |event: &Value| {
        let texts = event["ocr"].as_array().expect("a list");
        let says = |text: &Value| lines.iter().any(|line| text["text"] == line.as_str());
        texts.iter().any(says)
    };
    // How much of it is the models' business; none at all would be ours.
    assert!(events.iter().any(told), "{events:#?}");
}

#[test]
fn a_recorded_sequence_has_the_fields_that_the_configuration_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write(folder.path(), TEXT);
    let whole = std::fs::read_to_string(&config).expect("was written");
    std::fs::write(&config, whole.replace("items = 12", "items = 2")).expect("written");
    let plan = Config::load(&config)
        .expect("valid")
        .plan()
        .expect("a plan");
    let SourcePlan::Belt(belt) = &plan.camera.source else {
        panic!("a belt");
    };
    let mut camera = BeltCamera::open(&plan.camera, belt).expect("opens");
    let pool = Pool::new(1, 1280 * 800);
    let frames = folder.path().join("frames");
    std::fs::create_dir(&frames).expect("made");
    loop {
        match camera.grab(&pool, Duration::from_secs(1)).expect("a frame") {
            Grab::Frame(frame) => {
                let luma = frame.luma();
                let mut pgm = format!("P5\n{} {}\n255\n", luma.width(), luma.height()).into_bytes();
                (0..luma.height()).for_each(|y| pgm.extend_from_slice(luma.row(y)));
                let name = frames.join(format!("{:05}.pgm", frame.stamp.sequence));
                std::fs::write(name, pgm).expect("written");
            }
            Grab::Idle => {}
            Grab::End => break,
        }
    }
    let read = |more: &[&str]| -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_beltscan"))
            .args(["read", "--sequence", "--jsonl", "--fps", "60", "--config"])
            .arg(&config)
            .args(more)
            .arg(&frames)
            .output()
            .expect("starts");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        let lines = String::from_utf8(output.stdout).expect("text");
        let json = |line: &str| serde_json::from_str(line).expect("JSON");
        lines.lines().map(json).collect()
    };
    let items = read(&[]);
    assert_eq!(items.len(), 2);
    for item in &items {
        assert_eq!(item["ocr"][0]["name"], "lot", "{item}");
        assert_eq!(
            item["ocr"][0]["text"], item["codes"][0]["gs1"]["10"],
            "{item}"
        );
        assert_eq!(item["ocr"][1]["name"], "exp", "{item}");
        assert_eq!(item["ocr"][0]["box"].as_array().map(Vec::len), Some(4));
    }
    for item in read(&["--no-ocr"]) {
        assert_eq!(item["ocr"], serde_json::json!([]));
    }
}

#[test]
fn without_models_every_code_is_read_and_its_text_is_named_as_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("no-models");
    let config = write(
        folder.path(),
        &format!("[ocr]\nmodels = {nowhere:?}\n{TEXT}"),
    );
    let labels = truth(&config);
    let (output, events) = run(&config);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("cannot be loaded"), "{log}");
    assert_eq!(events.len(), labels.len());
    for event in &events {
        assert!(labels.contains_key(event["codes"][0]["text"].as_str().expect("text")));
        assert_eq!(event["ocr"], serde_json::json!([]));
        let skipped = event["ocr_skipped"].as_array().expect("named");
        assert!(
            skipped.iter().all(|s| s["reason"] == "no_models"),
            "{event}"
        );
        assert_eq!(
            event["verdict"]["pass"], false,
            "what was not read did not pass"
        );
    }
}
