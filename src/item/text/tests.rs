//! What the tracker asks for, waits for and makes of the answers. No model and no
//! picture to speak of: answers are made up.
#![cfg(feature = "ocr")]

use super::{Cut, Skip, TextAnswer, TextRequest};
use crate::config::{Config, Plan};
use crate::frame::{Luma, Stamp};
use crate::geometry::{Point, Quad};
use crate::item::{Event, Seen, Tracker};
use crate::ocr::Line;
use crate::qr::{Code, Content};

const EPOCH_NS: i64 = 1_767_225_600_000_000_000;
const WIDTH: usize = 1280;
const HEIGHT: usize = 800;
/// GTIN, expiry 2027-01-31, lot A1B2.
const LABEL: &str = "010950600013435217270131\u{1d}10A1B2";

const FIELDS: &str = r#"
[[ocr.field]]
name = "lot"
box = [0, 32, 29, 5]
code-ai = "10"
prefix = "LOT "
pattern = "[A-Z0-9]{4}"
[[ocr.field]]
name = "exp"
box = [0, 38, 29, 5]
code-ai = "17"
"#;

const RULES: &str = r#"
[[rule]]
name = "lot"
field = "lot"
equals-ai = "10"
[[rule]]
name = "exp"
field = "exp"
equals-ai = "17"
"#;

/// A belt of one code that runs to the right, 5 px a frame, 60 frames a second.
struct Line5 {
    tracker: Tracker,
    frame: u64,
    pixels: Vec<u8>,
    events: Vec<Event>,
    requests: Vec<TextRequest>,
}

impl Line5 {
    fn new(toml: &str) -> Self {
        let Plan {
            item,
            rules,
            noread,
            ocr,
            ..
        } = Config::parse(toml)
            .unwrap_or_else(|p| panic!("{p}"))
            .plan()
            .expect("sound");
        let mut tracker = Tracker::new(&item, rules, &noread);
        tracker.read_text(&ocr);
        Self {
            tracker,
            frame: 0,
            pixels: vec![200; WIDTH * HEIGHT],
            events: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn stamp(&self) -> Stamp {
        let time = self.frame * 16_666_667;
        Stamp {
            sequence: self.frame,
            mono_ns: 1_000_000_000 + time,
            wall_ns: EPOCH_NS + time as i64,
            exposure_us: None,
        }
    }

    /// Upper left corner of the code in this frame.
    fn place(&self) -> Point {
        Point::new(100.0 + 5.0 * (self.frame % 1000) as f32, 300.0)
    }

    fn show(&mut self, text: &str) {
        let Point { x, y } = self.place();
        let side = 29.0 * 4.0;
        let corners = [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)];
        let code = Code {
            version: 3,
            corners: Quad(corners.map(|(dx, dy)| Point::new(x + dx, y + dy))),
            content: Content {
                text: text.into(),
                is_text: true,
                aim_modifier: 3,
                ..Content::default()
            },
            ..Code::default()
        };
        self.turn(&[code]);
    }

    fn turn(&mut self, codes: &[Code]) {
        let seen = Seen {
            codes,
            unread: &[],
            signs: &[],
        };
        let luma = Luma::new(&self.pixels, WIDTH, HEIGHT, WIDTH).expect("fits");
        self.tracker
            .frame(&self.stamp(), seen, Some(luma), &mut self.events);
        self.frame += 1;
        self.requests.extend(self.tracker.text_requests());
    }

    /// Answers everything that was asked.
    fn answer(&mut self, say: impl Fn(usize) -> Result<(&'static str, f32), Skip>) {
        for (nth, request) in std::mem::take(&mut self.requests).into_iter().enumerate() {
            let answer = answer(request, say(nth));
            self.tracker.text_read(answer, &mut self.events);
        }
    }

    fn told(&self) -> Vec<(&str, &str)> {
        let texts = &self.events[0].text.texts;
        texts.iter().map(|t| (&*t.name, &*t.text)).collect()
    }

    fn skipped(&self) -> Vec<(&str, &str)> {
        let skipped = &self.events[0].text.skipped;
        skipped
            .iter()
            .map(|s| (&*s.name, s.reason.name()))
            .collect()
    }
}

fn answer(request: TextRequest, said: Result<(&str, f32), Skip>) -> TextAnswer {
    TextAnswer {
        id: request.id,
        cut: request.cut,
        lines: said.map(|(text, confidence)| {
            let line = Line {
                text: text.to_owned(),
                confidence,
                corners: request.corners,
            };
            if text.is_empty() {
                Vec::new()
            } else {
                vec![line]
            }
        }),
    }
}

#[test]
fn text_is_cut_below_the_code_asked_for_once_and_goes_with_the_event() {
    let mut belt = Line5::new(FIELDS);
    belt.show(LABEL);
    assert_eq!(belt.requests.len(), 2, "as soon as the code is read");
    let lot = &belt.requests[0];
    assert!(matches!(lot.cut, Cut::Strip(_)) && lot.wanted.pattern.is_some());
    let (left, top, right, bottom) = lot.corners.bounds();
    assert!(
        (left - 100.0).abs() < 0.1 && (right - 216.0).abs() < 0.1,
        "{left} {right}"
    );
    assert!(
        (top - 428.0).abs() < 0.1 && (bottom - 448.0).abs() < 0.1,
        "{top} {bottom}"
    );
    belt.answer(|nth| Ok([("LOT A1B2", 0.97), ("31.01.2027", 0.95)][nth]));
    belt.show(LABEL);
    assert_eq!(belt.events.len(), 1, "two frames confirm it");
    assert_eq!(belt.told(), [("lot", "A1B2"), ("exp", "31.01.2027")]);
    assert_eq!(belt.skipped(), []);
    assert_eq!(belt.events[0].verdict, None, "there are no rules");
    // Its box is where the event has the code.
    let event = &belt.events[0];
    let down = event.text.texts[0].corners.0[0] - event.codes[0].corners.0[0];
    assert!(down.distance(Point::new(0.0, 128.0)) < 0.1, "{down:?}");
    for _ in 0..20 {
        belt.show(LABEL);
        assert!(belt.requests.is_empty(), "asked for once");
    }
    assert_eq!(belt.events.len(), 1);
}

#[test]
fn without_a_rule_nothing_waits_and_what_is_late_is_named() {
    let mut belt = Line5::new(FIELDS);
    belt.show(LABEL);
    belt.show(LABEL);
    assert_eq!(belt.events.len(), 1);
    assert_eq!(belt.skipped(), [("lot", "late"), ("exp", "late")]);
    // What comes later changes nothing, and its strip is used again.
    belt.answer(|_| Ok(("LOT A1B2", 0.99)));
    belt.show(LABEL);
    assert_eq!(belt.events.len(), 1);
}

#[test]
fn an_event_waits_for_text_that_a_rule_needs_but_not_for_ever() {
    let mut belt = Line5::new(&format!("ocr.wait-ms = 100\n{FIELDS}{RULES}"));
    belt.show(LABEL);
    for _ in 0..4 {
        belt.show(LABEL);
        assert!(belt.events.is_empty() && belt.tracker.waits_for_text());
    }
    belt.answer(|nth| Ok([("LOT A1B2", 0.97), ("31 JAN 27", 0.95)][nth]));
    assert_eq!(belt.events.len(), 1, "no frame is needed to go on");
    let verdict = belt.events[0].verdict.as_ref().expect("there are rules");
    assert!(verdict.pass, "{verdict:?}");

    let mut belt = Line5::new(&format!("ocr.wait-ms = 100\n{FIELDS}{RULES}"));
    while belt.events.is_empty() {
        belt.show(LABEL);
        assert!(belt.frame < 20);
    }
    // Decided at the second frame, and six more are 100 ms.
    assert_eq!(belt.frame, 8);
    assert_eq!(belt.skipped(), [("lot", "late"), ("exp", "late")]);
    let verdict = belt.events[0].verdict.as_ref().expect("there are rules");
    assert_eq!(verdict.rule.as_deref(), Some("lot"));
    let detail = verdict.detail.as_deref().expect("says why");
    assert!(detail.contains("not read (late)"), "{detail}");
}

#[test]
fn time_without_frames_is_waited_for_too() {
    let mut belt = Line5::new(&format!("ocr.wait-ms = 100\n{FIELDS}{RULES}"));
    belt.show(LABEL);
    belt.show(LABEL);
    let stamp = belt.stamp();
    let later = |ms: u64| stamp.mono_ns + ms * 1_000_000;
    let Line5 {
        tracker, events, ..
    } = &mut belt;
    tracker.tick(later(50), stamp.wall_ns, events);
    assert!(events.is_empty());
    tracker.tick(later(120), stamp.wall_ns, events);
    assert_eq!(events.len(), 1);
}

#[test]
fn print_that_is_not_what_the_code_says_fails_with_both() {
    for (lot, exp, rule, printed, encoded) in [
        ("LOT A1B3", "31.01.2027", "lot", "A1B3", "A1B2"),
        ("LOT A1B2", "31.01.2026", "exp", "31.01.2026", "270131"),
        ("LOT A1B2", "EXP 02/27", "exp", "EXP 02/27", "270131"),
    ] {
        let mut belt = Line5::new(&format!("{FIELDS}{RULES}"));
        belt.show(LABEL);
        belt.answer(|nth| Ok([(lot, 0.97), (exp, 0.95)][nth]));
        belt.show(LABEL);
        let verdict = belt.events[0].verdict.as_ref().expect("there are rules");
        assert!(!verdict.pass);
        assert_eq!(verdict.rule.as_deref(), Some(rule));
        let mismatch = verdict.mismatch.as_ref().expect("they differ");
        assert_eq!((&*mismatch.field, &*mismatch.printed), (rule, printed));
        assert_eq!(mismatch.encoded.as_deref(), Some(encoded));
        let detail = verdict.detail.as_deref().expect("says why");
        assert!(
            detail.contains(printed) && detail.contains(encoded),
            "{detail}"
        );
    }
    // Spaces and a day that is left out make no difference.
    let mut belt = Line5::new(&format!("{FIELDS}{RULES}"));
    belt.show(LABEL);
    belt.answer(|nth| Ok([("LOT A1 B2", 0.97), ("EXP 01/2027", 0.95)][nth]));
    belt.show(LABEL);
    assert!(belt.events[0].verdict.as_ref().expect("rules").pass);
}

#[test]
fn frames_vote_while_none_is_sure() {
    let mut belt = Line5::new(&format!("ocr.wait-ms = 1000\n{FIELDS}{RULES}"));
    belt.show(LABEL);
    belt.answer(|nth| Ok([("LOT A182", 0.5), ("31.01.2027", 0.95)][nth]));
    belt.show(LABEL);
    assert!(belt.events.is_empty(), "one rule still waits");
    assert_eq!(belt.requests.len(), 1, "only for what is not sure");
    belt.answer(|_| Ok(("LOT A1B2", 0.6)));
    belt.show(LABEL);
    assert_eq!(belt.requests.len(), 1);
    belt.answer(|_| Ok(("LOT A1B2", 0.55)));
    assert_eq!(belt.events.len(), 1, "two of three agree");
    let event = &belt.events[0];
    assert!(event.verdict.as_ref().expect("rules").pass, "{event:?}");
    let sure = event.text.texts[0].confidence;
    assert!(
        sure > 0.3 && sure < 0.6,
        "the third is counted against it: {sure}"
    );
}

#[test]
fn a_full_queue_and_a_broken_model_are_named_and_hold_nothing_up_for_ever() {
    let mut belt = Line5::new(FIELDS);
    belt.show(LABEL);
    for request in std::mem::take(&mut belt.requests) {
        belt.tracker.text_refused(request, Skip::QueueFull);
    }
    belt.show(LABEL);
    assert_eq!(
        belt.skipped(),
        [("lot", "late"), ("exp", "late")],
        "asked again"
    );
    let mut belt = Line5::new(&format!("{FIELDS}{RULES}"));
    while belt.events.is_empty() {
        belt.show(LABEL);
        for request in std::mem::take(&mut belt.requests) {
            belt.tracker.text_refused(request, Skip::QueueFull);
        }
        assert!(belt.frame < 20);
    }
    assert_eq!(
        belt.skipped(),
        [("lot", "queue_full"), ("exp", "queue_full")]
    );
    let mut belt = Line5::new(&format!("{FIELDS}{RULES}"));
    while belt.events.is_empty() {
        belt.show(LABEL);
        belt.answer(|_| Err(Skip::BreakerOpen));
        assert!(belt.frame < 20);
    }
    assert_eq!(belt.skipped()[0], ("lot", "breaker_open"));
}

#[test]
fn a_field_that_never_was_in_the_picture_holds_nothing_up() {
    let low = FIELDS.replace("[0, 32, 29, 5]", "[0, 150, 29, 5]");
    let mut belt = Line5::new(&format!("ocr.wait-ms = 100\n{low}"));
    belt.show(LABEL);
    belt.answer(|_| Ok(("31.01.2027", 0.95)));
    belt.show(LABEL);
    assert_eq!(belt.skipped(), [("lot", "out_of_view")]);
    assert_eq!(belt.told(), [("exp", "31.01.2027")]);
}

#[test]
fn only_codes_with_the_element_have_the_field() {
    let mut belt = Line5::new(&format!("{FIELDS}{RULES}"));
    belt.show("010950600013435217270131");
    assert_eq!(belt.requests.len(), 1);
    belt.answer(|_| Ok(("31.01.2027", 0.95)));
    belt.show("010950600013435217270131");
    let verdict = belt.events[0].verdict.as_ref().expect("rules");
    let detail = verdict.detail.as_deref().expect("says why");
    assert!(
        detail.contains("no code of the item has the field lot"),
        "{detail}"
    );
    let lenient = RULES.replace(
        "equals-ai = \"10\"",
        "equals-ai = \"10\"\nif-missing = \"pass\"",
    );
    let mut belt = Line5::new(&format!("{FIELDS}{lenient}"));
    belt.show("010950600013435217270131");
    belt.answer(|_| Ok(("31.01.2027", 0.95)));
    belt.show("010950600013435217270131");
    assert!(belt.events[0].verdict.as_ref().expect("rules").pass);
}

#[test]
fn text_anywhere_in_the_picture_is_told_line_by_line() {
    let toml = "[[ocr.field]]\nname = \"any\"\nfind = \"search\"\nbox = [10, 20, 400, 500]\n\
                [[rule]]\nname = \"seen\"\nfield = \"any\"\nregex = \"SECOND\"\n";
    let mut belt = Line5::new(toml);
    belt.show(LABEL);
    let request = belt.requests.remove(0);
    let Cut::Area(area) = &request.cut else {
        panic!("a part of the picture: {request:?}");
    };
    assert_eq!((area.left, area.top), (10, 20));
    assert_eq!((area.luma().width(), area.luma().height()), (400, 500));
    let mut answer = answer(request, Ok(("FIRST", 0.9)));
    let second = Line {
        text: "SECOND".into(),
        confidence: 0.8,
        corners: Quad::default(),
    };
    answer.lines.as_mut().expect("read").push(second);
    belt.tracker.text_read(answer, &mut belt.events);
    belt.show(LABEL);
    assert_eq!(belt.told(), [("any", "FIRST"), ("any", "SECOND")]);
    assert!(
        belt.events[0].verdict.as_ref().expect("rules").pass,
        "one of them fits"
    );
}

#[test]
fn strips_are_bounded_and_go_round() {
    let mut belt = Line5::new(&format!("ocr.strips = 2\n{FIELDS}"));
    // Another item every third frame, all at the same place; no strip is left for
    // the next one while none is answered.
    for nth in 0..60 {
        belt.frame = nth * 1000;
        let text = format!("010950600013435217270131\u{1d}10A{nth:03}");
        for _ in 0..3 {
            belt.show(&text);
        }
        assert!(belt.requests.len() <= 2, "{}", belt.requests.len());
        if nth % 2 == 1 {
            belt.answer(|_| Ok(("LOT A1B2", 0.99)));
        }
    }
    let names = |event: &Event| event.text.skipped.iter().map(|s| s.reason.name()).collect();
    let all: Vec<Vec<&str>> = belt.events.iter().map(names).collect();
    assert_eq!(belt.events.len(), 60);
    assert!(all.contains(&vec!["queue_full", "queue_full"]), "{all:?}");
    assert!(all.contains(&vec!["late", "late"]), "{all:?}");
}

#[test]
fn another_plan_gives_up_what_was_asked_and_goes_on() {
    let mut belt = Line5::new(&format!("{FIELDS}{RULES}"));
    belt.show(LABEL);
    belt.show(LABEL);
    assert!(belt.events.is_empty());
    let other = FIELDS.replace("[0, 32, 29, 5]", "[0, 33, 29, 5]");
    let plan = Config::parse(&other).expect("sound").plan().expect("sound");
    belt.tracker
        .configure(&plan.item, plan.rules.clone(), &plan.noread);
    belt.tracker.read_text(&plan.ocr);
    belt.show(LABEL);
    assert_eq!(belt.events.len(), 1, "no item is lost");
    belt.answer(|_| Ok(("LOT A1B2", 0.99)));
    belt.show(LABEL);
    assert_eq!(belt.events.len(), 1);
}
