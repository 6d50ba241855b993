//! What the daemon knows of itself, as plain values: counters that the stages
//! write and anybody reads. Nothing here can hold a stage up or break it.

mod histogram;

pub use histogram::{Counts, Histogram};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A counter or gauge with one or more writers, read at leisure.
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

impl Meter {
    /// Adds `by`.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Sets the value.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of the camera and reading stages.
#[derive(Debug, Default)]
pub struct VisionMeters {
    /// Frames that the source delivered.
    pub frames: Meter,
    /// Frames lost before they were read: gaps in the driver's sequence, an
    /// empty pool, a newer frame that took the place.
    pub dropped: Meter,
    /// Codes read, over all frames.
    pub codes: Meter,
    /// Panics of the reader that were caught.
    pub panics: Meter,
    /// Whether frames come at all: 1 or 0.
    pub camera_up: Meter,
    /// Times the source was opened again.
    pub reopened: Meter,
    /// Of them, those that the governor left out.
    pub left_out: Meter,
    /// Time from taking a frame up to having its codes.
    pub frame_time: Histogram,
    /// Time that a frame waited: for a reader, and then for the item stage.
    pub wait: Histogram,
}

/// Counters of the item stage.
#[derive(Debug, Default)]
pub struct ItemMeters {
    /// Items published as read.
    pub read: Meter,
    /// Items and windows published as not read.
    pub noread: Meter,
    /// Items whose verdict is fail.
    pub failed: Meter,
}

/// Counters of the text stage.
#[derive(Debug, Default)]
pub struct TextMeters {
    /// Whether text is to be read at all: 1 or 0.
    pub wanted: Meter,
    /// Whether there are models to read it: 1 or 0.
    pub loaded: Meter,
    /// Whether the models could not be loaded: 1 or 0.
    pub unloadable: Meter,
    /// Lines and parts of pictures given to the models.
    pub asked: Meter,
    /// Lines that were read.
    pub lines: Meter,
    /// Requests for which the queue had no room, or that had waited too long.
    pub dropped: Meter,
    /// Fields that events were published without.
    pub skipped: Meter,
    /// Failures of the models: errors, panics, too long a time.
    pub failures: Meter,
    /// Whether the models are left alone after failures in a row: 1 or 0.
    pub breaker_open: Meter,
    /// Lines that the canary read beside the stable models.
    pub canary_lines: Meter,
    /// Of them, told alike.
    pub canary_alike: Meter,
    /// Time that the stable models took for these lines, in microseconds, all added.
    pub canary_stable_us: Meter,
    /// Time that the canary took for them.
    pub canary_us: Meter,
    /// Time for one request.
    pub time: Histogram,
}

impl TextMeters {
    /// Is text wanted that cannot be read now?
    pub fn is_down(&self) -> bool {
        self.wanted.get() == 1 && (self.unloadable.get() == 1 || self.breaker_open.get() == 1)
    }
}

/// Counters of the publishing stage.
#[derive(Debug, Default)]
pub struct PublishMeters {
    /// Whether the broker has accepted our connection: 1 or 0.
    pub connected: Meter,
    /// Times it did.
    pub connections: Meter,
    /// Events in the outbox that are not acknowledged.
    pub outbox_events: Meter,
    /// Their bytes.
    pub outbox_bytes: Meter,
    /// Events acknowledged.
    pub acknowledged: Meter,
    /// Events given up because the outbox was full or they were too old.
    pub given_up: Meter,
    /// Events that the broker refuses, set aside.
    pub dead_letters: Meter,
    /// Whether events go to disk: 1 or 0 (a ring in memory).
    pub durable: Meter,
    /// Highest sequence number given.
    pub seq: Meter,
}

/// All counters, shared by the stages.
#[derive(Debug, Default)]
pub struct Meters {
    /// Camera and reading.
    pub vision: VisionMeters,
    /// Items.
    pub item: ItemMeters,
    /// Text.
    pub text: TextMeters,
    /// Publishing.
    pub publish: PublishMeters,
    /// What the governor sees and does.
    pub governor: GovernorMeter,
}

/// What the governor last saw and does about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Governing {
    /// How far the work is cut back; 0: not at all.
    pub level: u8,
    /// Why, one word; `None` at level 0.
    pub reason: Option<&'static str>,
    /// What is left out at this level, in words.
    pub cut: &'static str,
    /// Resident memory of the daemon, bytes.
    pub resident: Option<u64>,
    /// Memory of its control group, children and page cache included, bytes.
    pub group: Option<u64>,
    /// The lowest limit of memory that is to be held, bytes.
    pub memory_limit: Option<u64>,
    /// The quota, in processors.
    pub quota: Option<f64>,
    /// Time of processors that the control group took since the last look, in processors.
    pub used: Option<f64>,
    /// Share of the quota's periods at the end of which it stood still.
    pub throttled: Option<f64>,
    /// Degrees Celsius.
    pub temperature: Option<f64>,
}

/// [`Governing`], written by the governor, read by anybody.
#[derive(Debug, Default)]
pub struct GovernorMeter(Mutex<Governing>);

impl GovernorMeter {
    /// What it saw last.
    pub fn get(&self) -> Governing {
        self.lock().clone()
    }

    /// Puts what it sees now.
    pub fn set(&self, governing: Governing) {
        *self.lock() = governing;
    }

    fn lock(&self) -> MutexGuard<'_, Governing> {
        // Held for a copy only.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signs of life of all stages. The watchdog is fed while every one of them
/// has beaten since it last looked; a stage beats whenever its loop turns.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Arc<Mutex<Vec<Stage>>>);

#[derive(Debug)]
struct Stage {
    name: &'static str,
    beats: Arc<Meter>,
    /// Its beats when the watchdog last looked; `None` if it is new since.
    looked: Option<u64>,
}

/// One stage's sign of life. Dropping it takes the stage off the list, so that
/// a stage that ended in order is not mistaken for a stuck one.
#[derive(Debug)]
pub struct Pulse {
    beats: Arc<Meter>,
    list: Pulses,
}

impl Pulses {
    /// Puts a stage on the list.
    pub fn register(&self, stage: &'static str) -> Pulse {
        let beats = Arc::new(Meter::default());
        self.lock().push(Stage {
            name: stage,
            beats: Arc::clone(&beats),
            looked: None,
        });
        Pulse {
            beats,
            list: self.clone(),
        }
    }

    /// Every stage on the list with its count of beats.
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        self.lock()
            .iter()
            .map(|stage| (stage.name, stage.beats.get()))
            .collect()
    }

    /// The stages that have not beaten since the last call of this function,
    /// which is for the watchdog alone. A stage that is new since then is given
    /// until the next call.
    pub fn still(&self) -> Vec<&'static str> {
        self.lock()
            .iter_mut()
            .filter_map(|stage| {
                let beats = stage.beats.get();
                (stage.looked.replace(beats) == Some(beats)).then_some(stage.name)
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Stage>> {
        // The list is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse {
    /// The loop has turned.
    pub fn beat(&self) {
        self.beats.add(1);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.list
            .lock()
            .retain(|stage| !Arc::ptr_eq(&stage.beats, &self.beats));
    }
}
