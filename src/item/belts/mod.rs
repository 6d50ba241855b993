//! Scripted belts with exact truth: what the tracker makes of them.
//!
//! No pictures here: codes are put where a belt would carry them, with jitter,
//! misses, hands and cameras that go away. The truth is simple: an item that
//! was read in at least one frame is published once, any other never.

use std::collections::{BTreeMap, BTreeSet};
use std::f32::consts::{FRAC_PI_2, PI};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

mod decisions;
mod passing;
mod random;
mod stamps;

use super::{Event, EventKind, Published, Seen, Tracker};
use crate::config::{Decide, ItemPlan, Look, NoReadsPlan, RulePlan, TriggerMode};
use crate::frame::{Luma, Stamp};
use crate::geometry::{Point, Quad};
use crate::qr::{self, Code, Content, Reason, Unread};

/// 2026-01-01, UTC.
const EPOCH_NS: i64 = 1_767_225_600_000_000_000;

pub(super) fn plan() -> ItemPlan {
    ItemPlan {
        group_px: 0.0,
        lost: Duration::from_millis(3000),
        decide: Decide::Confirmed,
        confirm_frames: 2,
        fusion: true,
        look: Look::default(),
        line: 0.5,
        trigger: TriggerMode::Free,
        window: Duration::from_millis(500),
        belt_px_s: None,
        direction_rad: None,
        width: 1280,
        height: 800,
    }
}

pub(super) fn noreads() -> NoReadsPlan {
    NoReadsPlan {
        publish: true,
        dir: None,
        max_files: 10,
        max_bytes: 1 << 20,
        max_age: Duration::from_secs(3600),
    }
}

fn seen<'a>(codes: &'a [Code], unread: &'a [Unread]) -> Seen<'a> {
    let signs = &[];
    Seen {
        codes,
        unread,
        signs,
    }
}

fn tracker(plan: &ItemPlan) -> Tracker {
    Tracker::new(plan, Vec::<RulePlan>::new(), &noreads())
}

/// One label on the belt.
#[derive(Clone, Debug)]
struct Label {
    text: String,
    /// How far the belt must go until its centre reaches the picture's edge.
    ahead: f32,
    /// Off the middle of the belt, in pixels.
    aside: f32,
    size: f32,
    /// Located but never read.
    unreadable: bool,
}

/// What hides codes: a rectangle of the picture, for a time.
#[derive(Clone, Copy, Debug)]
struct Hand {
    from: f64,
    to: f64,
    rect: (f32, f32, f32, f32),
}

struct Belt {
    labels: Vec<Label>,
    /// Way of the belt in pixels at a time in seconds.
    way: Box<dyn Fn(f64) -> f64>,
    angle: f32,
    fps: f64,
    jitter: f32,
    /// Share of frames in which a code is not read; half of these are located.
    miss: f64,
    hands: Vec<Hand>,
    blackouts: Vec<(f64, f64)>,
    restarts: Vec<f64>,
    /// By how many seconds a frame taken at a time in seconds is stamped too late;
    /// none overtakes another.
    late: Box<dyn Fn(f64) -> f64>,
    /// Frames that are stamped by the pace of those that are counted: what was lost
    /// uncounted is caught up with by this share of an interval from frame to frame.
    paced: Option<f64>,
    /// By how many seconds what a frame shows was taken after it was counted: its
    /// buffer was written again.
    shown: Box<dyn Fn(f64) -> f64>,
    /// Share of frames that are lost before anybody counts them …
    uncounted: f64,
    /// … and those that the camera does not take.
    skip: Box<dyn Fn(u64) -> bool>,
    /// Share of frames that are counted and that nobody has time for.
    dropped: f64,
    seconds: f64,
    rng: fastrand::Rng,
    plan: ItemPlan,
}

#[derive(Debug)]
struct Outcome {
    events: Vec<Event>,
    /// By label: frames in which it was read.
    reads: Vec<u32>,
    texts: Vec<String>,
}

impl Belt {
    fn new(speed_px_s: f64) -> Self {
        Self {
            labels: Vec::new(),
            way: Box::new(move |t| speed_px_s * t),
            angle: 0.0,
            fps: 60.0,
            jitter: 0.7,
            miss: 0.0,
            hands: Vec::new(),
            blackouts: Vec::new(),
            restarts: Vec::new(),
            late: Box::new(|_| 0.0),
            paced: None,
            shown: Box::new(|_| 0.0),
            uncounted: 0.0,
            skip: Box::new(|_| false),
            dropped: 0.0,
            seconds: 0.0,
            rng: fastrand::Rng::with_seed(7),
            plan: plan(),
        }
    }

    fn label(mut self, text: &str, ahead: f32) -> Self {
        self.labels.push(Label {
            text: text.into(),
            ahead,
            aside: 0.0,
            size: 60.0,
            unreadable: false,
        });
        self
    }

    fn lasting(mut self, seconds: f64) -> Self {
        self.seconds = seconds;
        self
    }

    fn place(&self, label: &Label, t: f64) -> Point {
        let along = (self.way)(t) as f32 - label.ahead;
        let heading = Point::new(self.angle.cos(), self.angle.sin());
        let across = Point::new(-heading.y, heading.x);
        let (w, h) = (self.plan.width as f32, self.plan.height as f32);
        // The belt's edge of the picture: where the middle line enters.
        let reach = 0.5 * ((heading.x * w).abs() + (heading.y * h).abs());
        Point::new(w * 0.5, h * 0.5) + heading * (along - reach) + across * label.aside
    }

    fn hidden(&self, corners: &Quad, t: f64) -> bool {
        let (left, top, right, bottom) = corners.bounds();
        left < 0.0
            || top < 0.0
            || right > self.plan.width as f32
            || bottom > self.plan.height as f32
            || self.hands.iter().any(|hand| {
                let (x, y, x2, y2) = hand.rect;
                (hand.from..hand.to).contains(&t)
                    && left < x2
                    && right > x
                    && top < y2
                    && bottom > y
            })
    }

    fn run(&mut self) -> Outcome {
        let mut tracker = tracker(&self.plan);
        let mut outcome = Outcome {
            events: Vec::new(),
            reads: vec![0; self.labels.len()],
            texts: self.labels.iter().map(|l| l.text.clone()).collect(),
        };
        let mut restarts = self.restarts.clone();
        let (mut codes, mut unread) = (Vec::new(), Vec::new());
        let frames = (self.seconds * self.fps) as u64;
        let mut stamp = Stamp::default();
        let (mut lost, mut told) = (0, 0.0f64);
        for n in 0..frames {
            let t = n as f64 / self.fps;
            let is_lost = self.uncounted > 0.0 && self.rng.f64() < self.uncounted;
            if is_lost || (self.skip)(n) {
                lost += 1;
                continue;
            }
            let arrived = t + (self.late)(t);
            told = match self.paced {
                Some(share) => arrived.min(told + (1.0 + share) / self.fps).max(told),
                None => told.max(arrived),
            };
            if self.dropped > 0.0 && self.rng.f64() < self.dropped {
                continue;
            }
            stamp = Stamp {
                sequence: n - lost,
                mono_ns: 5_000_000_000 + (told * 1e9) as u64,
                wall_ns: EPOCH_NS + (told * 1e9) as i64,
                exposure_us: None,
            };
            if restarts.first().is_some_and(|&at| t >= at) {
                // Killed, not stopped: what was not decided is forgotten.
                restarts.remove(0);
                tracker = self::tracker(&self.plan);
                let published: Vec<Published> =
                    outcome.events.iter().filter_map(Published::of).collect();
                tracker.remember(&published);
            }
            if self.blackouts.iter().any(|(a, b)| (*a..*b).contains(&t)) {
                // The count goes on after it as if nothing had been lost.
                lost += 1;
                tracker.tick(stamp.mono_ns, stamp.wall_ns, &mut outcome.events);
                continue;
            }
            codes.clear();
            unread.clear();
            for (i, label) in self.labels.iter().enumerate() {
                let at = t + (self.shown)(t);
                let exact = square(self.place(label, at), label.size, self.angle);
                if self.hidden(&exact, at) {
                    continue;
                }
                let noise = |rng: &mut fastrand::Rng| (rng.f32() * 2.0 - 1.0) * self.jitter;
                let by = Point::new(noise(&mut self.rng), noise(&mut self.rng));
                let corners = exact.shifted(by);
                if label.unreadable || self.rng.f64() < self.miss {
                    if label.unreadable || self.rng.bool() {
                        unread.push(Unread {
                            corners,
                            reason: Reason::Damage,
                            agreement: 0.9,
                        });
                    }
                } else {
                    outcome.reads[i] += 1;
                    codes.push(code(&label.text, corners));
                }
            }
            self.rng.shuffle(&mut codes);
            tracker.frame(&stamp, seen(&codes, &unread), None, &mut outcome.events);
        }
        tracker.finish(stamp.wall_ns, &mut outcome.events);
        outcome
    }
}

impl Outcome {
    /// Texts of all read events with how often they came.
    fn published(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for event in self.events.iter().filter(|e| e.kind == EventKind::Read) {
            for code in &event.codes {
                *counts
                    .entry(code.text.as_deref().unwrap_or(""))
                    .or_default() += 1;
            }
        }
        counts
    }

    /// Texts of all labels that were read at least once.
    fn truth(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for (text, reads) in self.texts.iter().zip(&self.reads) {
            if *reads > 0 {
                *counts.entry(text.as_str()).or_default() += 1;
            }
        }
        counts
    }

    /// Items that were not published once, by their texts.
    fn wrong(&self) -> usize {
        let (published, truth) = (self.published(), self.truth());
        let texts: BTreeSet<&str> = truth.keys().chain(published.keys()).copied().collect();
        let of = |counts: &BTreeMap<&str, usize>, text| counts.get(text).copied().unwrap_or(0);
        let off = |text| of(&published, text).abs_diff(of(&truth, text));
        texts.into_iter().map(off).sum()
    }

    #[track_caller]
    fn once_each(&self) {
        assert_eq!(self.published(), self.truth());
        assert!(self.events.iter().all(|e| !e.maybe_repeat));
    }

    fn noreads(&self) -> usize {
        self.events
            .iter()
            .filter(|e| e.kind == EventKind::NoRead)
            .count()
    }
}

fn square(centre: Point, size: f32, angle: f32) -> Quad {
    let (right, down) = (
        Point::new(angle.cos(), angle.sin()) * (size * 0.5),
        Point::new(-angle.sin(), angle.cos()) * (size * 0.5),
    );
    Quad([
        centre - right - down,
        centre + right - down,
        centre + right + down,
        centre - right + down,
    ])
}

fn code(text: &str, corners: Quad) -> Code {
    Code {
        version: 2,
        corners,
        content: Content {
            bytes: text.as_bytes().to_vec(),
            text: text.into(),
            is_text: true,
            aim_modifier: 1,
            ..Content::default()
        },
        quality: qr::Quality {
            uec: 0.9,
            contrast: 0.7,
            module_px: corners.area().sqrt() / 25.0,
            blur_modules: 0.4,
            ..qr::Quality::default()
        },
        ..Code::default()
    }
}

/// The way of a belt that goes through `(seconds, velocity px/s)` in turn,
/// with `ramp` px/s² between them.
fn phases(list: Vec<(f64, f64)>, ramp: f64) -> Box<dyn Fn(f64) -> f64> {
    // Integrated once, in steps of a tenth of a millisecond.
    let step = 1e-4;
    let total: f64 = list.iter().map(|phase| phase.0).sum();
    let mut way = vec![0.0];
    let (mut velocity, mut place, mut phase, mut left) = (list[0].1, 0.0, 0, list[0].0);
    for _ in 0..(total / step) as usize {
        left -= step;
        if left <= 0.0 && phase + 1 < list.len() {
            phase += 1;
            left = list[phase].0;
        }
        let change: f64 = list[phase].1 - velocity;
        velocity += change.clamp(-ramp * step, ramp * step);
        place += velocity * step;
        way.push(place);
    }
    Box::new(move |t| way[((t / step) as usize).min(way.len() - 1)])
}
