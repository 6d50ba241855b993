//! From pixels to items: rendered belts, the real reader, the real tracker, and
//! the belt's own truth. Each label that was read in at least one frame must
//! have become one item, with its text, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use beltscan::camera::belt::{Belt, BeltScript, ScriptedItem, ScriptedLabel};
use beltscan::camera::{Grab, Source};
use beltscan::config::{
    BeltSourcePlan, CameraPlan, Decide, Focus, ItemPlan, Look, NoReadsPlan, SourcePlan, TriggerMode,
};
use beltscan::frame::Pool;
use beltscan::item::{Event, EventKind, Published, Tracker};
use beltscan::qr::{Reader, ReaderOptions, Reads};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 400;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn item_plan() -> ItemPlan {
    ItemPlan {
        group_px: 0.0,
        lost: ms(3000),
        decide: Decide::Confirmed,
        confirm_frames: 2,
        fusion: true,
        look: Look::default(),
        line: 0.5,
        trigger: TriggerMode::Free,
        window: ms(500),
        belt_px_s: None,
        direction_rad: None,
        width: WIDTH,
        height: HEIGHT,
    }
}

fn tracker(plan: &ItemPlan) -> Tracker {
    let noreads = NoReadsPlan {
        publish: true,
        dir: None,
        max_files: 1,
        max_bytes: 1,
        max_age: ms(1),
    };
    Tracker::new(plan, Vec::new(), &noreads)
}

/// One run: a script, and when the daemon is killed and started again.
struct Run {
    script: BeltScript,
    speed_m_s: f32,
    item: ItemPlan,
    killed_at: Option<Duration>,
}

impl Run {
    fn new(speed_m_s: f32, script: BeltScript) -> Self {
        Self {
            script,
            speed_m_s,
            item: item_plan(),
            killed_at: None,
        }
    }

    fn go(self) -> Outcome {
        let source = BeltSourcePlan {
            real_time: false,
            speed_m_s: self.speed_m_s,
            ..BeltSourcePlan::default()
        };
        let camera = CameraPlan {
            source: SourcePlan::Belt(source.clone()),
            width: WIDTH,
            height: HEIGHT,
            fps: 60.0,
            exposure_us: None,
            exposure_bracket: None,
            gain: None,
            focus: Focus::Leave,
            timeout: ms(2000),
        };
        let belt = Belt::new(&camera, &source, self.script).expect("a belt");
        let truth = belt.truth();
        let mut lens = belt.open().expect("no outage at the start");
        let pool = Pool::new(1, (WIDTH * HEIGHT) as usize);
        let mut reader = Reader::new(ReaderOptions::default());
        let mut reads = Reads::default();
        let mut tracker = tracker(&self.item);
        let mut killed_at = self.killed_at;
        let mut outcome = Outcome {
            events: Vec::new(),
            read: BTreeMap::new(),
            foreign: 0,
            phantoms: 0,
        };
        let mut start = None;
        let mut last_wall_ns = 0;
        loop {
            let frame = match lens.grab(&pool, Duration::from_secs(60)) {
                Ok(Grab::Frame(frame)) => frame,
                Ok(Grab::End) => break,
                Ok(Grab::Idle) => panic!("a simulated belt does not idle"),
                Err(_) => {
                    lens = belt.open().expect("the outage is over");
                    continue;
                }
            };
            let stamp = frame.stamp;
            let start = *start.get_or_insert(stamp.mono_ns);
            let since = Duration::from_nanos(stamp.mono_ns - start);
            if killed_at.take_if(|at| since >= *at).is_some() {
                tracker = self::tracker(&self.item);
                let published: Vec<_> = outcome.events.iter().filter_map(Published::of).collect();
                tracker.remember(&published);
            }
            reader.read(frame.luma(), &[], &mut reads);
            let seen = truth.codes_in_view(stamp.mono_ns);
            for code in reads.codes.iter() {
                let centre = code.corners.centre();
                match seen.iter().find(|real| real.corners.contains(centre)) {
                    Some(real) if real.text == code.content.text => {
                        let label = (real.item, real.label);
                        outcome.read.insert(label, real.text.clone());
                    }
                    Some(real) => panic!("{} was read as {}", real.text, code.content.text),
                    None => outcome.foreign += 1,
                }
            }
            let labelled = |at| seen.iter().any(|real| real.corners.contains(at));
            let unread = reads.unread.iter().map(|unread| unread.corners.centre());
            outcome.phantoms += unread.filter(|&at| !labelled(at)).count();
            tracker.frame(
                &stamp,
                (&reads).into(),
                Some(frame.luma()),
                &mut outcome.events,
            );
            last_wall_ns = stamp.wall_ns;
        }
        tracker.finish(last_wall_ns, &mut outcome.events);
        outcome
    }
}

struct Outcome {
    events: Vec<Event>,
    /// Text of each label that was read, by item and label.
    read: BTreeMap<(u64, usize), String>,
    /// Reads of labels not wholly in view by the truth's measure.
    foreign: usize,
    /// Symbols told of as unread where no label is.
    phantoms: usize,
}

impl Outcome {
    fn published(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for event in self.events.iter().filter(|e| e.kind == EventKind::Read) {
            for code in &event.codes {
                let text = code.text.as_deref().expect("labels hold text");
                *counts.entry(text).or_default() += 1;
            }
        }
        counts
    }

    fn truth(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for text in self.read.values() {
            *counts.entry(text.as_str()).or_default() += 1;
        }
        counts
    }

    /// All `labels` were read, each became one item, and nothing else did.
    #[track_caller]
    fn once_each(&self, labels: usize) {
        assert_eq!(self.read.len(), labels, "labels read");
        assert_eq!(self.published(), self.truth());
        let noreads = self.events.len()
            - self
                .events
                .iter()
                .filter(|e| e.kind == EventKind::Read)
                .count();
        assert_eq!(noreads, 0, "no-reads");
    }
}

fn labels(script: BeltScript, texts: &[&str], pitch_mm: f32) -> BeltScript {
    texts.iter().fold(script, |script, text| {
        script.item(ScriptedItem::bare(*text, 40.0, 1.0).pitch_mm(pitch_mm))
    })
}

#[test]
fn equal_labels_30_mm_apart_at_1_m_s() {
    let script = BeltScript::new()
        .equal_labels("SAME", 20, 30.0, 0.8)
        .end_at(ms(1400));
    Run::new(1.0, script).go().once_each(20);
}

/// Texture and noise as in the demonstration, and a label now and then.
#[test]
fn texture_is_no_symbol_that_was_not_read() {
    let script = labels(BeltScript::new(), &["SPARSE"; 8], 400.0);
    let outcome = Run::new(1.0, script).go();
    outcome.once_each(8);
    assert_eq!(outcome.phantoms, 0, "symbols where none is");
}

#[test]
fn stop_and_start() {
    let script = BeltScript::new()
        .run(ms(350))
        .brake(ms(100))
        .stop(ms(1000))
        .start(ms(150));
    let script = labels(script, &["ONE", "TWO", "ONE", "THREE", "ONE"], 70.0).end_at(ms(2600));
    Run::new(1.0, script).go().once_each(5);
}

#[test]
fn stop_dead_and_start_with_equal_labels() {
    let script = BeltScript::new()
        .run(ms(400))
        .stop(ms(600))
        .equal_labels("SAME", 10, 30.0, 0.8)
        .end_at(ms(1800));
    Run::new(1.0, script).go().once_each(10);
}

#[test]
fn a_reverse_jog() {
    let script = BeltScript::new()
        .run(ms(600))
        .brake(ms(100))
        .stop(ms(100))
        .at_speed(-0.3, ms(500))
        .stop(ms(100))
        .start(ms(100));
    let script = labels(script, &["A", "B", "A", "A", "C"], 60.0).end_at(ms(3000));
    Run::new(0.6, script).go().once_each(5);
}

#[test]
fn a_hand_over_the_code_for_2_s() {
    // On a slow belt, and on one that stands.
    let slow = labels(BeltScript::new(), &["SLOW", "NEXT"], 90.0)
        .cover(0, ms(900), ms(2000))
        .end_at(ms(5200));
    Run::new(0.09, slow).go().once_each(2);
    let script = BeltScript::new().run(ms(500)).stop(ms(2800));
    let stands = labels(script, &["STANDS", "STANDS"], 90.0)
        .cover(0, ms(700), ms(2000))
        .end_at(ms(4200));
    Run::new(0.5, stands).go().once_each(2);
}

#[test]
fn a_camera_lost_for_3_s() {
    // A belt that stands meanwhile brings up nothing new; on one that runs on,
    // what comes after is new, equal texts or not.
    let script = BeltScript::new().run(ms(500)).stop(ms(4000));
    let stands = labels(script, &["X", "X", "Y"], 80.0)
        .camera_lost(ms(800), ms(3000))
        .end_at(ms(5600));
    Run::new(0.5, stands).go().once_each(3);
    let runs = labels(BeltScript::new(), &["X"; 24], 80.0)
        .camera_lost(ms(600), ms(3000))
        .end_at(ms(4400));
    let outcome = Run::new(0.5, runs).go();
    assert!(outcome.read.len() >= 6, "both sides of the gap were seen");
    assert_eq!(outcome.published(), outcome.truth());
}

#[test]
fn a_restart_with_items_in_view() {
    let script = BeltScript::new().run(ms(700)).stop(ms(2000));
    let stands = labels(script, &["R", "S", "R"], 80.0)
        .frames_missing(ms(1500), ms(600))
        .end_at(ms(3600));
    let mut run = Run::new(0.5, stands);
    // Decided where they stand, so that the place is the one before the restart.
    run.item.confirm_frames = 50;
    run.killed_at = Some(ms(2000));
    run.go().once_each(3);
    let runs = labels(BeltScript::new(), &["R"; 8], 80.0)
        .frames_missing(ms(1500), ms(600))
        .end_at(ms(4000));
    let mut run = Run::new(0.3, runs);
    run.killed_at = Some(ms(2000));
    let outcome = run.go();
    let sure = outcome.events.iter().filter(|e| !e.maybe_repeat).count();
    assert!(sure <= outcome.read.len());
    assert!(outcome.events.len() >= outcome.read.len());
}

#[test]
fn the_same_text_twice_in_a_frame_and_boxes_with_several_labels() {
    let twice = |text: &str| {
        ScriptedItem::boxed(text).label(ScriptedLabel {
            at_mm: (0.0, -32.0),
            ..ScriptedLabel::new(text)
        })
    };
    let script = BeltScript::new()
        .item(twice("T1"))
        .item(twice("T2"))
        .end_at(ms(1100));
    let outcome = Run::new(0.8, script.clone()).go();
    outcome.once_each(4);
    assert_eq!(outcome.events.len(), 4, "every code is an item");
    let mut run = Run::new(0.8, script);
    run.item.group_px = 100.0;
    let outcome = run.go();
    outcome.once_each(4);
    assert_eq!(outcome.events.len(), 2, "every box is an item");
}
