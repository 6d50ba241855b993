//! Keeps a source open: opens it with back-off, opens it again after a fault,
//! and never lets the caller wait longer than it is patient.
//!
//! Opening and closing happen on threads of their own, since a wedged driver or
//! a hung program can hold either up for as long as it likes. A reopened source
//! counts its frames from 0 again; what the keeper hands out goes on counting,
//! and its monotonic stamps never run back.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{CameraError, CameraErrorKind, Grab, Source, open};
use crate::config::CameraPlan;
use crate::frame::{Frame, Pool, Stamp};

/// Longest wait before the source is tried again.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// First wait; it doubles with each failure.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// An opening that takes longer than this is told as a fault.
const SLOW_OPENING: Duration = Duration::from_secs(10);

/// What is known of the source, for status and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeeperState {
    /// Frames come.
    pub up: bool,
    /// What was opened last, in one line; empty before the first time.
    pub description: String,
    /// Why no frames come, and what would help.
    pub fault: Option<CameraError>,
    /// Frames handed out.
    pub frames: u64,
    /// Frames that the source or the driver dropped: gaps in its sequence.
    pub dropped: u64,
    /// Times the source was opened again.
    pub reopened: u64,
}

type Opened = Result<Box<dyn Source>, CameraError>;
type Opener = dyn Fn(&CameraPlan) -> Opened + Send + Sync;

/// A source that comes back.
pub struct Keeper {
    plan: CameraPlan,
    opener: Arc<Opener>,
    phase: Phase,
    state: KeeperState,
    /// Failures since the last frame.
    failures: u32,
    /// Whether it was ever opened.
    opened: bool,
    /// The source before, while it is being closed.
    closing: Option<JoinHandle<()>>,
    count: Count,
}

enum Phase {
    /// To be opened at that time.
    Waiting(Instant),
    /// Being opened since then.
    Opening(Instant, Receiver<Opened>),
    /// Open.
    Open(Box<dyn Source>),
    /// It has come to its end.
    Ended,
}

/// Turns the stamps of one source after the other into those of one stream.
#[derive(Default)]
struct Count {
    /// Last sequence number as the source gave it; `None` since it was opened.
    theirs: Option<u64>,
    /// Last stamp that was handed out.
    last: Option<Stamp>,
    /// Added to the source's monotonic time.
    shift_ns: u64,
}

impl Keeper {
    /// Keeps what `plan` names. Nothing is opened before the first
    /// [`grab`](Self::grab).
    pub fn new(plan: CameraPlan) -> Self {
        Self::with_opener(plan, open)
    }

    /// As [`new`](Self::new), with another way to open the source.
    pub fn with_opener(
        plan: CameraPlan,
        opener: impl Fn(&CameraPlan) -> Opened + Send + Sync + 'static,
    ) -> Self {
        Self {
            plan,
            opener: Arc::new(opener),
            phase: Phase::Waiting(Instant::now()),
            state: KeeperState::default(),
            failures: 0,
            opened: false,
            closing: None,
            count: Count::default(),
        }
    }

    /// Waits at most `patience` for the newest frame. Faults do not come out
    /// here: they show in [`state`](Self::state) while the source is brought
    /// back. [`Grab::End`] is final.
    pub fn grab(&mut self, pool: &Pool, patience: Duration) -> Grab {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match &mut self.phase {
                Phase::Ended => return Grab::End,
                Phase::Waiting(until) => {
                    let wait = until.saturating_duration_since(Instant::now());
                    thread::sleep(wait.min(left));
                    if wait > left {
                        return Grab::Idle;
                    }
                    self.start_opening();
                }
                Phase::Opening(since, answer) => match answer.recv_timeout(left) {
                    Ok(Ok(source)) => self.take_over(source),
                    Ok(Err(error)) => self.fail(error),
                    Err(RecvTimeoutError::Timeout) => {
                        if since.elapsed() >= SLOW_OPENING && self.state.fault.is_none() {
                            self.report(still_opening());
                        }
                        return Grab::Idle;
                    }
                    Err(RecvTimeoutError::Disconnected) => self.fail(opener_died()),
                },
                Phase::Open(source) => match source.grab(pool, left) {
                    Ok(Grab::Frame(frame)) => return Grab::Frame(self.hand_out(frame)),
                    Ok(Grab::Idle) => return Grab::Idle,
                    Ok(Grab::End) => {
                        self.close(Phase::Ended);
                        self.state.up = false;
                        return Grab::End;
                    }
                    Err(error) => self.fail(error),
                },
            }
            if Instant::now() >= deadline {
                return Grab::Idle;
            }
        }
    }

    /// What is known of the source now.
    pub fn state(&self) -> &KeeperState {
        &self.state
    }

    /// The plan in force.
    pub fn plan(&self) -> &CameraPlan {
        &self.plan
    }

    /// Goes on with another plan. If it differs the source is closed and the
    /// new one opened; frames go on counting.
    pub fn change(&mut self, plan: CameraPlan) {
        if plan == self.plan {
            return;
        }
        self.plan = plan;
        self.failures = 0;
        self.state.up = false;
        self.close(Phase::Waiting(Instant::now()));
    }

    fn start_opening(&mut self) {
        let (sender, answer) = sync_channel(1);
        let (opener, plan) = (Arc::clone(&self.opener), self.plan.clone());
        let closing = self.closing.take();
        let started = thread::Builder::new()
            .name("camera-open".into())
            .spawn(move || {
                // A device that is still being closed would be found busy.
                if let Some(closing) = closing {
                    let _ = closing.join();
                }
                // Nobody may want it any more: then it is closed here.
                let _ = sender.send(opener(&plan));
            });
        match started {
            Ok(_) => self.phase = Phase::Opening(Instant::now(), answer),
            Err(error) => self.fail(super::child::no_thread(&error)),
        }
    }

    fn take_over(&mut self, source: Box<dyn Source>) {
        self.state.description = source.describe();
        if self.opened {
            self.state.reopened += 1;
        }
        self.opened = true;
        self.count.theirs = None;
        log::info!("camera opened: {}", self.state.description);
        self.phase = Phase::Open(source);
    }

    fn hand_out(&mut self, mut frame: Frame) -> Frame {
        let interval_ns = (1e9 / f64::from(self.plan.fps)) as u64;
        self.state.dropped += self.count.restamp(&mut frame.stamp, interval_ns);
        self.state.frames += 1;
        if !self.state.up {
            log::info!("camera frames come");
        }
        self.state.up = true;
        self.state.fault = None;
        self.failures = 0;
        frame
    }

    fn fail(&mut self, error: CameraError) {
        let longest = FIRST_BACKOFF * 2u32.pow(self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        // Jitter keeps several readers on one hub from trying in step.
        let wait = longest
            .min(MAX_BACKOFF)
            .mul_f32(fastrand::f32().mul_add(0.5, 0.5));
        self.report(error);
        self.close(Phase::Waiting(Instant::now() + wait));
    }

    /// Logs a fault once, however often it repeats.
    fn report(&mut self, error: CameraError) {
        let known = self.state.fault.as_ref();
        if known.is_none_or(|known| (known.kind, &known.cure) != (error.kind, &error.cure)) {
            log::warn!("camera: {error}");
        } else {
            log::debug!("camera: {error}");
        }
        self.state.up = false;
        self.state.fault = Some(error);
    }

    /// Leaves the present phase for `next`, closing the source elsewhere.
    fn close(&mut self, next: Phase) {
        if let Phase::Open(source) = std::mem::replace(&mut self.phase, next) {
            // Without a thread it is closed by the spawn that fails.
            self.closing = thread::Builder::new()
                .name("camera-close".into())
                .spawn(move || drop(source))
                .ok();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.close(Phase::Ended);
        // A child is to be reaped and a device free again when the keeper is
        // gone, but a wedged driver must not hold up the daemon's end.
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.closing.as_ref().is_some_and(|c| !c.is_finished()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Count {
    /// Restamps a frame; returns how many were dropped before it.
    fn restamp(&mut self, stamp: &mut Stamp, interval_ns: u64) -> u64 {
        let dropped = match self.theirs {
            Some(before) => stamp.sequence.saturating_sub(before).saturating_sub(1),
            None => 0,
        };
        if self.theirs.is_none() {
            self.shift_ns = match self.last {
                Some(last) if stamp.mono_ns <= last.mono_ns => {
                    last.mono_ns + interval_ns - stamp.mono_ns
                }
                _ => 0,
            };
        }
        self.theirs = Some(stamp.sequence);
        stamp.mono_ns += self.shift_ns;
        if let Some(last) = self.last {
            stamp.sequence = last.sequence + 1 + dropped;
            // A driver's clock that jumps back must not make time run back here.
            stamp.mono_ns = stamp.mono_ns.max(last.mono_ns + 1);
        } else {
            stamp.sequence = 0;
        }
        self.last = Some(*stamp);
        dropped
    }
}

fn still_opening() -> CameraError {
    CameraError {
        kind: CameraErrorKind::Wedged,
        message: format!(
            "opening the camera takes longer than {} s",
            SLOW_OPENING.as_secs()
        ),
        cure: "unplug it and plug it in again, or restart the machine".into(),
    }
}

fn opener_died() -> CameraError {
    CameraError {
        kind: CameraErrorKind::Lost,
        message: "opening the camera failed inside beltscan".into(),
        cure: "please report it with the log; it is tried again".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Camera, Focus, SourcePlan};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    const PATIENCE: Duration = Duration::from_millis(20);

    fn plan() -> CameraPlan {
        let camera = Camera::default();
        CameraPlan {
            source: SourcePlan::Belt(camera.belt),
            width: 16,
            height: 16,
            fps: 100.0,
            exposure_us: None,
            exposure_bracket: None,
            gain: None,
            focus: Focus::Leave,
            timeout: Duration::from_secs(1),
        }
    }

    fn lost() -> CameraError {
        CameraError {
            kind: CameraErrorKind::Lost,
            message: "gone".into(),
            cure: "plug it in".into(),
        }
    }

    /// Frames by (sequence, monotonic ns), then a fault or an end.
    struct Script {
        stamps: Vec<(u64, u64)>,
        ends: bool,
        open: Arc<AtomicU64>,
    }

    impl Source for Script {
        fn grab(&mut self, pool: &Pool, _: Duration) -> Result<Grab, CameraError> {
            if self.stamps.is_empty() {
                return if self.ends {
                    Ok(Grab::End)
                } else {
                    Err(lost())
                };
            }
            let (sequence, mono_ns) = self.stamps.remove(0);
            let Some(mut frame) = pool.take(4, 4) else {
                return Ok(Grab::Idle);
            };
            frame.stamp.sequence = sequence;
            frame.stamp.mono_ns = mono_ns;
            Ok(Grab::Frame(frame))
        }

        fn describe(&self) -> String {
            "script".into()
        }
    }

    impl Drop for Script {
        fn drop(&mut self) {
            self.open.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Stamps, and whether they end in order.
    type Take = Result<(Vec<(u64, u64)>, bool), CameraError>;

    fn keeper(scripts: Vec<Take>) -> Keeper {
        let scripts = Mutex::new(scripts.into_iter());
        let open = Arc::new(AtomicU64::new(0));
        Keeper::with_opener(plan(), move |_| {
            assert_eq!(
                open.fetch_add(1, Ordering::SeqCst),
                0,
                "the one before must be closed first"
            );
            let script = scripts.lock().expect("whole").next().expect("one more");
            match script {
                Ok((stamps, ends)) => Ok(Box::new(Script {
                    stamps,
                    ends,
                    open: Arc::clone(&open),
                })),
                Err(error) => {
                    open.fetch_sub(1, Ordering::SeqCst);
                    Err(error)
                }
            }
        })
    }

    #[test]
    fn it_comes_back_and_the_count_goes_on() {
        let absent = CameraError {
            kind: CameraErrorKind::Absent,
            ..lost()
        };
        let mut keeper = keeper(vec![
            Err(absent.clone()),
            Ok((vec![(7, 1_000), (8, 2_000), (11, 5_000)], false)),
            Ok((vec![(0, 900), (1, 1_000)], true)),
        ]);
        let pool = Pool::new(1, 16);
        let (mut stamps, mut saw_absent) = (Vec::new(), false);
        loop {
            match keeper.grab(&pool, PATIENCE) {
                Grab::Frame(frame) => {
                    assert!(keeper.state().up && keeper.state().fault.is_none());
                    stamps.push((frame.stamp.sequence, frame.stamp.mono_ns));
                }
                Grab::Idle => {
                    if let Some(fault) = &keeper.state().fault {
                        assert!(!keeper.state().up);
                        saw_absent |= *fault == absent;
                    }
                }
                Grab::End => break,
            }
        }
        assert!(saw_absent);
        assert_eq!(
            stamps,
            [
                (0, 1_000),
                (1, 2_000),
                (4, 5_000),
                (5, 10_005_000),
                (6, 10_005_100)
            ]
        );
        let state = keeper.state();
        assert_eq!((state.frames, state.dropped, state.reopened), (5, 2, 1));
        assert_eq!(state.description, "script");
        assert!(matches!(keeper.grab(&pool, PATIENCE), Grab::End));
    }

    #[test]
    fn a_hung_opening_does_not_hold_the_caller_up() {
        let (release, held) = sync_channel::<()>(0);
        let held = Mutex::new(held);
        let mut keeper = Keeper::with_opener(plan(), move |_| {
            let _ = held.lock().expect("whole").recv();
            Err(lost())
        });
        let pool = Pool::new(1, 16);
        for _ in 0..3 {
            assert!(matches!(keeper.grab(&pool, PATIENCE), Grab::Idle));
            assert_eq!(keeper.state().fault, None);
        }
        drop(release);
        while keeper.state().fault.is_none() {
            assert!(matches!(keeper.grab(&pool, PATIENCE), Grab::Idle));
        }
    }

    #[test]
    fn a_panic_while_opening_is_a_fault_like_any_other() {
        let mut keeper = Keeper::with_opener(plan(), |_| panic!("deliberate"));
        let pool = Pool::new(1, 16);
        while keeper.state().fault.is_none() {
            assert!(matches!(keeper.grab(&pool, PATIENCE), Grab::Idle));
        }
        assert!(!keeper.state().up);
    }

    #[test]
    fn another_plan_opens_another_source() {
        let fps_seen = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&fps_seen);
        let mut keeper = Keeper::with_opener(plan(), move |plan| {
            seen.lock().expect("whole").push(plan.fps);
            Ok(Box::new(Script {
                stamps: (0..1000).map(|i| (i, i)).collect(),
                ends: false,
                open: Arc::new(AtomicU64::new(1)),
            }))
        });
        let pool = Pool::new(1, 16);
        while !keeper.state().up {
            keeper.grab(&pool, PATIENCE);
        }
        keeper.change(keeper.plan().clone());
        assert!(keeper.state().up, "the same plan changes nothing");
        keeper.change(CameraPlan {
            fps: 50.0,
            ..plan()
        });
        while !keeper.state().up {
            keeper.grab(&pool, PATIENCE);
        }
        assert_eq!(*fps_seen.lock().expect("whole"), [100.0, 50.0]);
        assert_eq!(keeper.state().reopened, 1);
    }
}
