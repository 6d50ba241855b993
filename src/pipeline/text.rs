//! The text thread: reads lines one after another, so that the codes never wait.
//!
//! Requests come through a bounded queue. What has no room there, or has waited
//! so long that its item is gone, is given back unread: text is dropped, codes
//! are not. Models are loaded beside the work, at the start and when a reload
//! finds others; until they are there requests wait.
//!
//! A model that fails, panics or takes too long is a failure. Five in a row open
//! a circuit breaker: text is left alone for a minute, then one line is tried.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use super::breaker::Breaker;
use super::items::Input;
use super::{PATIENCE, Shared, live};
use crate::clock;
use crate::config::OcrPlan;
use crate::frame::Luma;
use crate::item::text::{Cut, Skip, TextAnswer, TextRequest};
use crate::ocr::{Line, Recognised, Strip, Wanted};
use crate::snapshot::Pulse;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// How long it stays open.
const RECOVERY: Duration = Duration::from_secs(60);
/// A request that has waited for longer than this, and longer than events wait,
/// is of no use any more.
const STALE: Duration = Duration::from_secs(1);
/// Turns of the loop while models are loaded.
const LOADING: Duration = Duration::from_millis(20);

/// What reads text: the models, or in tests some that fail on purpose.
pub trait TextEngine: Send {
    /// Reads one line; `None`: nothing is legible.
    fn line(&mut self, strip: &Strip, wanted: &Wanted) -> Result<Option<Recognised>, String>;

    /// Finds and reads every line of a picture, corners in its own pixels.
    fn area(&mut self, luma: Luma<'_>, wanted: &Wanted) -> Result<Vec<Line>, String>;
}

/// Makes an engine by the plan. It is called on a thread of its own.
pub type TextLoader = Arc<dyn Fn(&OcrPlan) -> Result<Box<dyn TextEngine>, String> + Send + Sync>;

/// A loading that is under way.
type Loading = Receiver<Result<Box<dyn TextEngine>, String>>;

/// Models in force.
enum Models {
    /// No text is wanted.
    Unwanted,
    /// They are being loaded; the first ones, or for want of any.
    Coming(Loading),
    /// They are there; perhaps others are being loaded that will take their place.
    There(Box<dyn TextEngine>, Option<Loading>),
    /// They cannot be loaded.
    Absent,
}

pub(super) struct Text {
    shared: Arc<Shared>,
    to_items: SyncSender<Input>,
    load: TextLoader,
    models: Models,
    breaker: Breaker,
    plan: OcrPlan,
    /// Frames come at the pace of the clock: what is old is of no use.
    live: bool,
    generation: u64,
    /// What the models' folder looked like when they were loaded.
    files: Vec<(String, u64, Option<SystemTime>)>,
    /// A request that waits for models.
    waiting: Option<TextRequest>,
}

impl Text {
    pub(super) fn new(shared: Arc<Shared>, to_items: SyncSender<Input>, load: TextLoader) -> Self {
        let whole = shared.plan();
        Self {
            generation: shared.generation.load(Ordering::Acquire),
            to_items,
            load,
            models: Models::Unwanted,
            breaker: Breaker::opening_after(FAILURES, RECOVERY, RECOVERY),
            plan: OcrPlan::none(),
            live: live(&whole),
            files: Vec::new(),
            waiting: None,
            shared,
        }
    }

    pub(super) fn run(mut self, requests: &Receiver<TextRequest>, pulse: &Pulse) {
        let plan = self.shared.plan();
        self.take_up(&plan.ocr);
        loop {
            pulse.beat();
            self.take_up_plan();
            self.look_for_models();
            let busy = matches!(self.models, Models::Coming(_) | Models::There(_, Some(_)));
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
            let answer = self.answer(request);
            if self.to_items.send(Input::Text(answer)).is_err() {
                break;
            }
        }
    }

    /// Can a request be answered, one way or the other?
    fn ready(&self) -> bool {
        !matches!(self.models, Models::Coming(_))
    }

    fn answer(&mut self, request: TextRequest) -> TextAnswer {
        let TextRequest {
            id,
            wanted,
            cut,
            corners,
            mono_ns,
        } = request;
        let meters = &self.shared.meters.text;
        let age = Duration::from_nanos(clock::mono_ns().saturating_sub(mono_ns));
        if self.live && age > self.plan.wait.max(STALE) {
            meters.dropped.add(1);
            let lines = Err(Skip::Late);
            return TextAnswer { id, cut, lines };
        }
        let Models::There(engine, _) = &mut self.models else {
            let lines = Err(Skip::NoModels);
            return TextAnswer { id, cut, lines };
        };
        if !self.breaker.allows(mono_ns) {
            let lines = Err(Skip::BreakerOpen);
            return TextAnswer { id, cut, lines };
        }
        meters.asked.add(1);
        let started = Instant::now();
        let read = catch_unwind(AssertUnwindSafe(|| match &cut {
            Cut::Strip(strip) => engine.line(strip, &wanted).map(|read| {
                let line = |read: Recognised| {
                    let mut corners = corners;
                    if read.upside_down {
                        corners.0.rotate_left(2);
                    }
                    Line {
                        text: read.text,
                        confidence: read.confidence,
                        corners,
                    }
                };
                read.map(line).into_iter().collect()
            }),
            Cut::Area(area) => engine.area(area.luma(), &wanted).map(|mut lines| {
                let way = crate::geometry::Point::new(area.left as f32, area.top as f32);
                for line in &mut lines {
                    line.corners = line.corners.shifted(way);
                }
                lines
            }),
        }));
        let took = started.elapsed();
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
                meters.lines.add(lines.len() as u64);
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
                } else {
                    log::warn!("the models for text failed on a line: {fault}");
                }
                Err(Skip::Failed)
            }
        };
        meters.breaker_open.set(u64::from(self.breaker.is_open()));
        if panicked {
            // What a panic left half done is not read with again.
            self.models = Models::Coming(self.start_loading());
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

    /// Loads models if text is wanted and others than those in force are there.
    /// Those in force read on meanwhile.
    fn take_up(&mut self, plan: &OcrPlan) {
        let wanted = !plan.fields.is_empty();
        let files = plan.models.as_deref().map(fingerprint).unwrap_or_default();
        let others = self.plan.models != plan.models || self.files != files;
        self.plan = plan.clone();
        self.shared.meters.text.wanted.set(u64::from(wanted));
        self.models = match (
            std::mem::replace(&mut self.models, Models::Unwanted),
            wanted,
        ) {
            (_, false) => {
                self.shared.meters.text.loaded.set(0);
                return;
            }
            (Models::There(engine, loading), true) => {
                let loading = match others {
                    true => Some(self.start_loading()),
                    false => loading,
                };
                Models::There(engine, loading)
            }
            (Models::Coming(loading), true) if !others => Models::Coming(loading),
            (_, true) => Models::Coming(self.start_loading()),
        };
        self.files = files;
    }

    fn start_loading(&self) -> Loading {
        let (done, loading) = sync_channel(1);
        let (load, plan) = (Arc::clone(&self.load), self.plan.clone());
        let started = std::thread::Builder::new()
            .name("text-models".into())
            .spawn(move || {
                let loaded = catch_unwind(AssertUnwindSafe(|| load(&plan)))
                    .unwrap_or_else(|_| Err("loading them panicked".to_owned()));
                // Whoever waited may have gone.
                let _ = done.send(loaded);
            });
        if let Err(error) = started {
            log::error!("no thread to load the models for text: {error}");
        }
        loading
    }

    /// Puts models that have come into force.
    fn look_for_models(&mut self) {
        let loading = match &self.models {
            Models::Coming(loading) | Models::There(_, Some(loading)) => loading,
            _ => return,
        };
        let loaded = match loading.try_recv() {
            Ok(loaded) => loaded,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => Err("they were not loaded to the end".to_owned()),
        };
        let meters = &self.shared.meters.text;
        let before = std::mem::replace(&mut self.models, Models::Absent);
        meters.unloadable.set(u64::from(loaded.is_err()));
        self.models = match (loaded, before) {
            (Ok(engine), _) => {
                log::info!("the models for text are loaded");
                meters.loaded.set(1);
                Models::There(engine, None)
            }
            (Err(fault), Models::There(engine, _)) => {
                log::error!("the new models for text cannot be loaded, the old ones stay: {fault}");
                Models::There(engine, None)
            }
            (Err(fault), _) => {
                log::error!(
                    "the models for text cannot be loaded, codes are read without: {fault}"
                );
                meters.loaded.set(0);
                Models::Absent
            }
        };
    }
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
