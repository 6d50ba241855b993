//! Models in their slots: `stable` reads; `fallback` reads while the breaker
//! leaves the stable ones alone, and is loaded only then; `canary` reads a share
//! of the lines after the stable ones, in their shadow, until it is promoted or
//! dropped. Each is loaded on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use super::{TextEngine, TextLoader};
use crate::config::OcrPlan;
use crate::ocr::{Pace, Recognised, Strip, Wanted};
use crate::snapshot::TextMeters;

/// A loading that is under way.
type Loading = Receiver<Result<Box<dyn TextEngine>, String>>;

/// What there is in a slot.
#[derive(Default)]
pub(super) enum Slot {
    /// Nothing, and nothing is wanted.
    #[default]
    Empty,
    /// Models that are being loaded, the first ones or for want of any.
    Coming(Loading),
    /// Models; perhaps others are being loaded that will take their place.
    There(Box<dyn TextEngine>, Option<Loading>),
    /// Models that cannot be loaded.
    Absent,
}

/// What came of looking after a loading.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing new.
    None,
    /// Models have come into force.
    Loaded,
    /// They cannot be loaded; those before, if there were any, stay.
    Failed(String),
}

impl Slot {
    /// Loads models by `plan`, those of the slot at `dir` if it is not the plan's own.
    pub fn load(&mut self, load: &TextLoader, plan: &OcrPlan, dir: Option<&PathBuf>) {
        let mut plan = plan.clone();
        if let Some(dir) = dir {
            plan.models = Some(dir.clone());
        }
        let (done, loading) = sync_channel(1);
        let load = Arc::clone(load);
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
        *self = match std::mem::take(self) {
            Slot::There(engine, _) => Slot::There(engine, Some(loading)),
            _ => Slot::Coming(loading),
        };
    }

    /// Takes up what has been loaded.
    pub fn look(&mut self) -> Change {
        let (Slot::Coming(loading) | Slot::There(_, Some(loading))) = &*self else {
            return Change::None;
        };
        let loaded = match loading.try_recv() {
            Ok(loaded) => loaded,
            Err(TryRecvError::Empty) => return Change::None,
            Err(TryRecvError::Disconnected) => Err("they were not loaded to the end".to_owned()),
        };
        match loaded {
            Ok(engine) => {
                *self = Slot::There(engine, None);
                Change::Loaded
            }
            Err(fault) => {
                *self = match std::mem::take(self) {
                    Slot::There(engine, _) => Slot::There(engine, None),
                    _ => Slot::Absent,
                };
                Change::Failed(fault)
            }
        }
    }

    /// Is something being loaded?
    pub fn is_busy(&self) -> bool {
        matches!(self, Slot::Coming(_) | Slot::There(_, Some(_)))
    }

    /// The models, if there are any.
    pub fn engine(&mut self) -> Option<&mut dyn TextEngine> {
        match self {
            Slot::There(engine, _) => Some(&mut **engine),
            _ => None,
        }
    }
}

/// How the canary does beside the stable models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trial {
    /// Lines that both read.
    pub lines: u64,
    /// Of them, told alike.
    pub alike: u64,
    /// Time that the stable models took for them, and the canary.
    pub took: [Duration; 2],
}

impl Trial {
    /// Sets the counters that whoever watches reads.
    pub fn tell(&self, meters: &TextMeters) {
        let us = |took: Duration| took.as_micros() as u64;
        meters.canary_lines.set(self.lines);
        meters.canary_alike.set(self.alike);
        meters.canary_stable_us.set(us(self.took[0]));
        meters.canary_us.set(us(self.took[1]));
    }
}

/// The canary and how it does.
#[derive(Default)]
pub(super) struct Canary {
    pub slot: Slot,
    pub trial: Trial,
    /// Part of a line that is due to it.
    due: f32,
    failures: u32,
}

/// Failures in a row after which a canary is dropped.
const MOST_FAILURES: u32 = 5;

impl Canary {
    /// Reads a line in the shadow of the stable models, if it is its turn (`share`
    /// of all lines). They said `stable` and took `took`. It keeps to the same pace.
    pub fn shadow(
        &mut self,
        strip: &Strip,
        wanted: &Wanted,
        stable: Option<&str>,
        took: Duration,
        share: f32,
        pace: &mut Pace,
    ) {
        let Some(engine) = self.slot.engine() else {
            return;
        };
        self.due += share;
        if self.due < 1.0 {
            return;
        }
        self.due -= 1.0;
        let (started, rested) = (Instant::now(), pace.rested());
        let read = catch_unwind(AssertUnwindSafe(|| engine.line(strip, wanted, pace)));
        let own = started.elapsed() - (pace.rested() - rested);
        match read {
            Ok(Ok(read)) => {
                let text = read.as_ref().map(|read: &Recognised| read.text.as_str());
                self.trial.lines += 1;
                self.trial.alike += u64::from(text == stable);
                self.trial.took[0] += took;
                self.trial.took[1] += own;
                self.failures = 0;
            }
            _ => {
                self.failures += 1;
                if self.failures >= MOST_FAILURES {
                    log::error!(
                        "the canary models failed {MOST_FAILURES} times in a row: they are dropped"
                    );
                    self.slot = Slot::Absent;
                }
            }
        }
    }

    /// Takes them out, to be the stable ones.
    pub fn promoted(&mut self) -> Option<Slot> {
        match std::mem::take(&mut self.slot) {
            Slot::There(engine, _) => Some(Slot::There(engine, None)),
            other => {
                self.slot = other;
                None
            }
        }
    }

    /// In words, for whoever decides over it.
    pub fn told(&self) -> String {
        let Trial { lines, alike, took } = self.trial;
        let mean = |took: Duration| took.as_secs_f64() * 1000.0 / lines.max(1) as f64;
        format!(
            "{alike} of {lines} lines were told alike; {:.1} ms a line, stable {:.1} ms",
            mean(took[1]),
            mean(took[0])
        )
    }
}
