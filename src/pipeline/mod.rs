//! Threads, bounded queues and the way of a frame through them.
//!
//! ```text
//!  capture ──► slot ──► reading (1..n) ──► items ──► the outbox
//!                          ▲                 │
//!                          └──── hints ──────┤
//!                                text ◄──────┘ (and back)
//! ```
//!
//! Memory is allocated once: the pool of frames, and as many sets of results as
//! there are frames. Every queue is bounded, every wait ends, every stage beats
//! its [`Pulse`](crate::snapshot::Pulse) whenever its loop turns.

mod breaker;
mod capture;
mod engine;
mod fallback;
pub mod governor;
mod items;
mod models;
mod order;
mod reading;
mod sequence;
mod slot;
mod text;

pub use models::text_models;
pub use sequence::Sequence;
pub use slot::{Overflow, Put, Slot, Taken};
pub use text::{TextEngine, TextLoader};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::camera::{Keeper, KeeperState};
use crate::command::Reply;
use crate::config::{Plan, ReplayRate, SourcePlan};
use crate::frame::{Frame, Pool};
use crate::item::{Published, Tracker};
use crate::limits::System;
use crate::publish::EventSender;
use crate::qr::{Hint, Reads};
use crate::snapshot::{Meters, Pulses};

/// The longest that any stage waits before its loop turns again. A quarter of
/// the shortest WatchdogSec that makes sense (2 s).
const PATIENCE: Duration = Duration::from_millis(500);

/// What the stages share.
struct Shared {
    slot: Slot<Frame>,
    stop: AtomicBool,
    /// A stage has panicked: what it did is done no more.
    broken: Arc<AtomicBool>,
    /// A plan that came while running; readers take it up when this count moves.
    generation: AtomicU64,
    plan: Mutex<Arc<Plan>>,
    /// Where the tracker expects codes, for the time of the newest frame it saw.
    hints: Mutex<Vec<Hint>>,
    camera: Mutex<KeeperState>,
    /// Sets of results that wait for a frame: they go round as frames do.
    results: Mutex<Vec<Reads>>,
    /// What an operator asks of the canary models for text, with the way back.
    canary: Mutex<Option<(text::CanaryOrder, SyncSender<Reply>)>>,
    meters: Arc<Meters>,
    /// What is left out for now.
    control: governor::Control,
}

impl Shared {
    fn plan(&self) -> Arc<Plan> {
        Arc::clone(&lock(&self.plan))
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// None of the values behind these locks is ever left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the pipeline needs from outside.
pub struct Parts {
    /// Counters to keep.
    pub meters: Arc<Meters>,
    /// Where the stages show signs of life.
    pub pulses: Pulses,
    /// Where decided items go.
    pub events: EventSender,
    /// Items published shortly before this start.
    pub published: Vec<Published>,
    /// Another keeper than the plan's: for the synthetic belt of the demo and of
    /// tests, whose truth the caller holds.
    pub keeper: Option<Keeper>,
    /// What loads the models for text.
    pub text: TextLoader,
    /// Where the governor reads limits.
    pub system: System,
}

/// The running stages.
pub struct Pipeline {
    shared: Arc<Shared>,
    to_items: SyncSender<items::Input>,
    to_capture: Arc<Mutex<Option<capture::Change>>>,
    threads: Vec<JoinHandle<()>>,
    governor: governor::Governor,
}

impl Pipeline {
    /// Starts camera, readers and items as `plan` says. A camera that is away
    /// is no error: its state tells.
    pub fn start(plan: Arc<Plan>, parts: Parts) -> std::io::Result<Self> {
        let readers = plan.read.threads.max(1);
        let pool = pool(&plan);
        let shared = Arc::new(Shared {
            slot: Slot::default(),
            stop: AtomicBool::new(false),
            broken: Arc::default(),
            generation: AtomicU64::new(0),
            plan: Mutex::new(Arc::clone(&plan)),
            hints: Mutex::new(Vec::new()),
            camera: Mutex::new(KeeperState::default()),
            results: Mutex::new(Vec::new()),
            canary: Mutex::new(None),
            meters: parts.meters,
            control: governor::Control::default(),
        });
        // Results hold their frames, so the pool bounds what can be in here.
        let (to_items, from_readers) = sync_channel(pool.count() + 4);
        let (to_text, text_requests) = sync_channel(plan.ocr.queue);
        let mut tracker = Tracker::new(&plan.item, plan.rules.clone(), &plan.noread);
        tracker.remember(&parts.published);
        tracker.read_text(&plan.ocr);
        let to_capture = Arc::new(Mutex::new(None));
        let keeper = parts
            .keeper
            .unwrap_or_else(|| Keeper::new(plan.camera.clone()));
        let mut threads = Vec::new();
        let broken = &shared.broken;
        let items = items::Items::new(
            &plan,
            tracker,
            readers,
            parts.events,
            to_text,
            Arc::clone(&shared),
        );
        let pulse = parts.pulses.register("items");
        threads.push(spawn("items", broken, move || {
            items.run(&from_readers, &pulse)
        })?);
        let text = text::Text::new(Arc::clone(&shared), to_items.clone(), parts.text);
        let pulse = parts.pulses.register("text");
        threads.push(spawn("text", broken, move || {
            text.run(&text_requests, &pulse)
        })?);
        for _ in 0..readers {
            let reading = reading::Reading::new(Arc::clone(&shared), to_items.clone());
            let pulse = parts.pulses.register("reading");
            threads.push(spawn("reading", broken, move || reading.run(&pulse))?);
        }
        let capture = capture::Capture::new(
            keeper,
            pool,
            &plan,
            Arc::clone(&shared),
            Arc::clone(&to_capture),
        );
        let pulse = parts.pulses.register("camera");
        threads.push(spawn("camera", broken, move || capture.run(&pulse))?);
        let governor = governor::Governor::new(parts.system, &shared.meters, Instant::now());
        Ok(Self {
            shared,
            to_items,
            to_capture,
            threads,
            governor,
        })
    }

    /// Opens a trigger window. False if the items stage has ended.
    pub fn trigger(&self, request_id: Option<String>, reply: SyncSender<Reply>) -> bool {
        self.to_items
            .send(items::Input::Trigger { request_id, reply })
            .is_ok()
    }

    /// Saves the next frame. False if the items stage has ended.
    pub fn snapshot(&self, reply: SyncSender<Reply>) -> bool {
        self.to_items.send(items::Input::Snapshot { reply }).is_ok()
    }

    /// Puts the canary models for text in the stable ones' place, or drops them. The
    /// reply comes from the text thread.
    pub fn canary(&self, promote: bool, reply: SyncSender<Reply>) {
        let order = match promote {
            true => text::CanaryOrder::Promote,
            false => text::CanaryOrder::Drop,
        };
        *lock(&self.shared.canary) = Some((order, reply));
    }

    /// Goes on under another plan, without losing a track. The number of reader
    /// threads stays as it was.
    pub fn reconfigure(&self, plan: Arc<Plan>) {
        let old = std::mem::replace(&mut *lock(&self.shared.plan), Arc::clone(&plan));
        self.shared.generation.fetch_add(1, Ordering::Release);
        if old.camera != plan.camera {
            *lock(&self.to_capture) = Some(capture::Change {
                camera: plan.camera.clone(),
                pool: pool(&plan),
                overflow: overflow(&plan),
            });
        }
        let _ = self.to_items.send(items::Input::Plan(plan));
    }

    /// Fits the work to what the machine grants; to be called about once a second.
    pub fn govern(&mut self, now: Instant) -> governor::Decision {
        let plan = self.shared.plan();
        let decision = self.governor.look(&plan, &self.shared.meters, now);
        let without_models = self.governor.without_models();
        self.shared.control.set(decision.level, without_models);
        decision
    }

    /// How the camera is.
    pub fn camera(&self) -> KeeperState {
        lock(&self.shared.camera).clone()
    }

    /// Has the source come to its end, and every item been handed over?
    pub fn ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Has a stage panicked? Then the daemon cannot do its work: a restart can.
    pub fn broken(&self) -> bool {
        self.shared.broken.load(Ordering::Relaxed)
    }

    /// Ends the stages in order: no new frame, the frames on their way are read,
    /// what can be decided is handed over.
    pub fn stop(mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A stage that panicked has logged it, and the others have ended by
            // themselves.
            let _ = thread.join();
        }
    }
}

fn pool(plan: &Plan) -> Pool {
    Pool::new(plan.pool_frames(), plan.frame_bytes())
}

/// A live camera never waits; a recording or a simulation that runs as fast as
/// it is read loses nothing.
fn overflow(plan: &Plan) -> Overflow {
    match &plan.camera.source {
        SourcePlan::Replay {
            rate: ReplayRate::Asap,
            ..
        } => Overflow::Wait,
        SourcePlan::Belt(belt) if !belt.real_time => Overflow::Wait,
        _ => Overflow::Newest,
    }
}

/// Frames come at the pace of the clock, so that silence means that time passes.
fn live(plan: &Plan) -> bool {
    match &plan.camera.source {
        SourcePlan::Replay { .. } => false,
        SourcePlan::Belt(belt) => belt.real_time,
        _ => true,
    }
}

/// A stage's thread. Should it panic, `broken` tells: its pulse goes with it, so
/// the watchdog alone would not miss it.
fn spawn(
    name: &str,
    broken: &Arc<AtomicBool>,
    body: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let broken = Arc::clone(broken);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Nothing of the stage is used after its panic.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_err() {
                broken.store(true, Ordering::Relaxed);
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_panics_is_missed_and_one_that_ends_is_not() {
        let broken = Arc::default();
        let stage = spawn("ends", &broken, || {}).expect("starts");
        stage.join().expect("no panic comes out");
        assert!(!broken.load(Ordering::Relaxed));
        let stage = spawn("panics", &broken, || panic!("on purpose")).expect("starts");
        stage.join().expect("no panic comes out");
        assert!(broken.load(Ordering::Relaxed));
    }
}
