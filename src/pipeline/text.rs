//! The text thread: reads lines one after another, so that the codes never wait.
//!
//! Requests come through a bounded queue. What has no room there, or has waited
//! so long that its item is gone, is given back unread: text is dropped, codes
//! are not. Models are loaded beside the work, at the start and when a reload
//! finds others; until they are there requests wait.
//!
//! A model that fails, panics or takes too long is a failure. Five in a row open
//! a circuit breaker: text is left alone for a minute, or read by the fallback
//! models if there are any, then one line is tried.

mod slots;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime};

use self::slots::{Canary, Change, Slot};
use super::breaker::Breaker;
use super::governor::TextRate;
use super::items::Input;
use super::{PATIENCE, Shared, live, lock};
use crate::clock;
use crate::command::Reply;
use crate::config::{FieldPlace, OcrPlan};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::item::text::{Cut, Skip, TextAnswer, TextRequest};
use crate::ocr::{Line, Pace, Recognised, Strip, Wanted};
use crate::snapshot::Pulse;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// How long it stays open.
const RECOVERY: Duration = Duration::from_secs(60);
/// A request that has waited for longer than this, and longer than events wait,
/// is of no use any more.
const STALE: Duration = Duration::from_secs(1);
/// Where text is slowed down its thread works one part in so many of the processor
/// that is granted, or of one where more are.
const SLOW: f64 = 4.0;
/// Turns of the loop while models are loaded.
const LOADING: Duration = Duration::from_millis(20);

/// What reads text: the models, or in tests some that fail on purpose. It rests at
/// `pace` where it can within a line.
pub trait TextEngine: Send {
    /// Reads one line; `None`: nothing is legible.
    fn line(
        &mut self,
        strip: &Strip,
        wanted: &Wanted,
        pace: &mut Pace,
    ) -> Result<Option<Recognised>, String>;

    /// Finds and reads every line of a picture, corners in its own pixels. What
    /// lies in `code` is no text.
    fn area(
        &mut self,
        luma: Luma<'_>,
        code: &Quad,
        wanted: &Wanted,
        pace: &mut Pace,
    ) -> Result<Vec<Line>, String>;
}

/// Makes an engine by the plan. It is called on a thread of its own.
pub type TextLoader = Arc<dyn Fn(&OcrPlan) -> Result<Box<dyn TextEngine>, String> + Send + Sync>;

/// What an operator asks of the canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CanaryOrder {
    /// It becomes the stable models.
    Promote,
    /// It goes.
    Drop,
}

pub(super) struct Text {
    shared: Arc<Shared>,
    to_items: SyncSender<Input>,
    load: TextLoader,
    stable: Slot,
    fallback: Slot,
    canary: Canary,
    breaker: Breaker,
    plan: OcrPlan,
    /// Frames come at the pace of the clock: what is old is of no use.
    live: bool,
    generation: u64,
    /// What the models' folder looked like when they were loaded.
    files: Vec<(String, u64, Option<SystemTime>)>,
    /// A request that waits for models.
    waiting: Option<TextRequest>,
    /// There is no memory for models.
    without: bool,
}

impl Text {
    pub(super) fn new(shared: Arc<Shared>, to_items: SyncSender<Input>, load: TextLoader) -> Self {
        let whole = shared.plan();
        Self {
            generation: shared.generation.load(Ordering::Acquire),
            to_items,
            load,
            stable: Slot::Empty,
            fallback: Slot::Empty,
            canary: Canary::default(),
            breaker: Breaker::opening_after(FAILURES, RECOVERY, RECOVERY),
            plan: OcrPlan::none(),
            live: live(&whole),
            files: Vec::new(),
            waiting: None,
            without: false,
            shared,
        }
    }

    pub(super) fn run(mut self, requests: &Receiver<TextRequest>, pulse: &Pulse) {
        let plan = self.shared.plan();
        self.take_up(&plan.ocr);
        loop {
            pulse.beat();
            self.take_up_plan();
            self.make_room();
            self.look_for_models();
            let busy = [&self.stable, &self.fallback, &self.canary.slot]
                .into_iter()
                .any(Slot::is_busy);
            let request = match self.waiting.take() {
                Some(request) => {
                    if !self.ready() {
                        std::thread::sleep(LOADING);
                    }
                    request
                }
                None => match requests.recv_timeout(if busy { LOADING } else { PATIENCE }) {
                    Ok(request) => request,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                },
            };
            if !self.ready() && !self.shared.stopping() {
                self.waiting = Some(request);
                continue;
            }
            let mut pace = match self.shared.control.measures().text {
                TextRate::Slow => {
                    Pace::resting(rest(self.shared.meters.governor.get().quota), PATIENCE)
                }
                TextRate::Full | TextRate::Stopped => Pace::steady(),
            };
            let answer = self.answer(request, &mut pace);
            if self.to_items.send(Input::Text(answer)).is_err() {
                break;
            }
            pace.end();
        }
    }

    /// Can a request be answered, one way or the other?
    fn ready(&self) -> bool {
        !matches!(self.stable, Slot::Coming(_))
    }

    fn answer(&mut self, request: TextRequest, pace: &mut Pace) -> TextAnswer {
        let TextRequest {
            id,
            wanted,
            cut,
            corners,
            mono_ns,
        } = request;
        let shared = Arc::clone(&self.shared);
        let meters = &shared.meters.text;
        let age = Duration::from_nanos(clock::mono_ns().saturating_sub(mono_ns));
        if self.live && age > self.plan.wait.max(STALE) {
            meters.dropped.add(1);
            let lines = Err(Skip::Late);
            return TextAnswer { id, cut, lines };
        }
        if self.stable.engine().is_none() {
            let lines = Err(Skip::NoModels);
            return TextAnswer { id, cut, lines };
        }
        if !self.breaker.allows(mono_ns) {
            let lines = self.fall_back(&cut, corners, &wanted, pace);
            return TextAnswer { id, cut, lines };
        }
        meters.asked.add(1);
        let started = Instant::now();
        let read = catch_unwind(AssertUnwindSafe(|| match self.stable.engine() {
            Some(engine) => read(engine, &cut, corners, &wanted, pace),
            None => Ok(Vec::new()),
        }));
        let took = started.elapsed() - pace.rested();
        meters
            .time
            .record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        let panicked = read.is_err();
        let lines: Result<Vec<Line>, String> = match read {
            Err(_) => Err("they panicked".to_owned()),
            Ok(Ok(_)) if took > self.plan.timeout => {
                Err(format!("a line took {} ms", took.as_millis()))
            }
            Ok(read) => read,
        };
        let lines = match lines {
            Ok(lines) => {
                self.breaker.succeeded();
                self.fallback = Slot::Empty;
                meters.lines.add(lines.len() as u64);
                if let (Cut::Strip(strip), Some((_, share))) = (&cut, &self.plan.canary) {
                    let stable = lines.first().map(|line| line.text.as_str());
                    self.canary
                        .shadow(strip, &wanted, stable, took, *share, pace);
                    self.canary.trial.tell(meters);
                }
                Ok(lines)
            }
            Err(fault) => {
                meters.failures.add(1);
                let before = self.breaker.is_open();
                self.breaker.failed(mono_ns);
                if self.breaker.is_open() && !before {
                    log::error!(
                        "the models for text failed {FAILURES} times in a row, last: {fault}; \
                         no text is read for {} s, codes are",
                        RECOVERY.as_secs()
                    );
                    if let Some(dir) = &self.plan.fallback {
                        self.fallback.load(&self.load, &self.plan, Some(dir));
                    }
                } else {
                    log::warn!("the models for text failed on a line: {fault}");
                }
                Err(Skip::Failed)
            }
        };
        meters.breaker_open.set(u64::from(self.breaker.is_open()));
        if panicked {
            // What a panic left half done is not read with again.
            self.stable = Slot::Empty;
            self.stable.load(&self.load, &self.plan, None);
        }
        TextAnswer { id, cut, lines }
    }

    fn take_up_plan(&mut self) {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if generation != self.generation {
            self.generation = generation;
            let plan = self.shared.plan();
            self.live = live(&plan);
            self.take_up(&plan.ocr);
        }
    }

    /// Lets the models go while memory is short, and loads them again after it.
    fn make_room(&mut self) {
        let without = self.shared.control.without_models();
        if without == self.without {
            return;
        }
        self.without = without;
        if without {
            log::warn!("the models for text are unloaded: memory is short");
            self.stable = Slot::Empty;
            self.fallback = Slot::Empty;
            self.canary = Canary::default();
            self.shared.meters.text.loaded.set(0);
        } else {
            // As at the start: with the canary, if there is one.
            let plan = std::mem::replace(&mut self.plan, OcrPlan::none());
            self.take_up(&plan);
        }
    }

    /// Loads models if text is wanted and others than those in force are there.
    /// Those in force read on meanwhile.
    fn take_up(&mut self, plan: &OcrPlan) {
        let wanted = !plan.fields.is_empty();
        let files = plan.models.as_deref().map(fingerprint).unwrap_or_default();
        let others = self.plan.models != plan.models
            || self.files != files
            || searches(&self.plan) != searches(plan);
        let before = std::mem::replace(&mut self.plan, plan.clone());
        self.shared.meters.text.wanted.set(u64::from(wanted));
        if !wanted {
            self.shared.meters.text.loaded.set(0);
            self.stable = Slot::Empty;
            self.fallback = Slot::Empty;
            self.canary = Canary::default();
            return;
        }
        if self.without {
            return;
        }
        if others || matches!(self.stable, Slot::Empty | Slot::Absent) {
            self.stable.load(&self.load, &self.plan, None);
        }
        match &plan.canary {
            None => self.canary = Canary::default(),
            Some((dir, _)) if before.canary != plan.canary => {
                self.canary = Canary::default();
                self.canary.slot.load(&self.load, &self.plan, Some(dir));
            }
            Some(_) => {}
        }
        self.files = files;
    }

    /// Puts models that have come into force.
    fn look_for_models(&mut self) {
        let before = self.stable.engine().is_some();
        let meters = &self.shared.meters.text;
        match self.stable.look() {
            Change::None => {}
            Change::Loaded => {
                log::info!("the models for text are loaded");
                meters.loaded.set(1);
                meters.unloadable.set(0);
            }
            Change::Failed(fault) => {
                let what = match before {
                    true => "the new models for text cannot be loaded, the old ones stay",
                    false => "the models for text cannot be loaded, codes are read without",
                };
                log::error!("{what}: {fault}");
                meters.loaded.set(u64::from(before));
                meters.unloadable.set(1);
            }
        }
        if let Change::Failed(fault) = self.fallback.look() {
            log::error!("the fallback models for text cannot be loaded: {fault}");
        }
        match self.canary.slot.look() {
            Change::Loaded => log::info!("the canary models for text are loaded"),
            Change::Failed(fault) => log::error!("the canary models cannot be loaded: {fault}"),
            Change::None => {}
        }
        let order = lock(&self.shared.canary).take();
        if let Some((order, reply)) = order {
            // Whoever asked may have gone.
            let _ = reply.try_send(self.obey(order));
        }
        // There may be another by now, or none.
        self.canary.trial.tell(&self.shared.meters.text);
    }

    fn obey(&mut self, order: CanaryOrder) -> Reply {
        let told = self.canary.told();
        let done = match order {
            CanaryOrder::Drop => {
                let was = !matches!(self.canary.slot, Slot::Empty);
                self.canary = Canary::default();
                was.then_some("the canary is dropped, until a reload names another")
            }
            CanaryOrder::Promote => self.canary.promoted().map(|slot| {
                self.stable = slot;
                self.breaker.succeeded();
                self.canary = Canary::default();
                let meters = &self.shared.meters.text;
                meters.loaded.set(1);
                meters.unloadable.set(0);
                meters.breaker_open.set(0);
                "the canary reads now; name its folder in ocr.models, or a restart takes the others"
            }),
        };
        match done {
            Some(done) => {
                log::info!("{done}: {told}");
                Reply {
                    ok: true,
                    detail: format!("{done}: {told}"),
                }
            }
            None => Reply {
                ok: false,
                detail: "no canary is loaded: name its folder in ocr.canary-models and reload"
                    .into(),
            },
        }
    }

    /// Reads with the fallback while the stable models are left alone.
    fn fall_back(
        &mut self,
        cut: &Cut,
        corners: Quad,
        wanted: &Wanted,
        pace: &mut Pace,
    ) -> Result<Vec<Line>, Skip> {
        let Some(engine) = self.fallback.engine() else {
            return Err(Skip::BreakerOpen);
        };
        match catch_unwind(AssertUnwindSafe(|| {
            read(engine, cut, corners, wanted, pace)
        })) {
            Ok(Ok(lines)) => {
                self.shared.meters.text.lines.add(lines.len() as u64);
                Ok(lines)
            }
            failed => {
                if failed.is_err() {
                    self.fallback = Slot::Absent;
                }
                self.shared.meters.text.failures.add(1);
                Err(Skip::Failed)
            }
        }
    }
}

/// How many times as long as it works the text thread rests where it is slowed down,
/// under a quota of so many processors.
fn rest(quota: Option<f64>) -> u32 {
    let granted = quota.unwrap_or(1.0).clamp(0.1, 1.0);
    (SLOW / granted) as u32 - 1
}

/// Reads a line, or all lines of a part of the picture.
pub(super) fn read(
    engine: &mut dyn TextEngine,
    cut: &Cut,
    mut corners: Quad,
    wanted: &Wanted,
    pace: &mut Pace,
) -> Result<Vec<Line>, String> {
    match cut {
        Cut::Strip(strip) => {
            let Some(read) = engine.line(strip, wanted, pace)? else {
                return Ok(Vec::new());
            };
            if read.upside_down {
                corners.0.rotate_left(2);
            }
            Ok(vec![Line {
                text: read.text,
                confidence: read.confidence,
                corners,
            }])
        }
        Cut::Area(area) => {
            let way = Point::new(area.left as f32, area.top as f32);
            let code = corners.shifted(way * -1.0);
            let mut lines = engine.area(area.luma(), &code, wanted, pace)?;
            for line in &mut lines {
                line.corners = line.corners.shifted(way);
            }
            Ok(lines)
        }
    }
}

/// Is text searched for in the picture? That takes a model of its own.
fn searches(plan: &OcrPlan) -> bool {
    plan.fields
        .iter()
        .any(|field| matches!(field.place, FieldPlace::Search(_)))
}

/// What a folder of models looks like: names, sizes, times of change.
fn fingerprint(dir: &Path) -> Vec<(String, u64, Option<SystemTime>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .take(64)
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((name, meta.len(), meta.modified().ok()))
        })
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests;
