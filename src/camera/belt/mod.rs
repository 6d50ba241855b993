//! A synthetic conveyor: boxes with QR labels slide past a camera that exposes,
//! reads out row by row, and is noisy. Seeded, and with the truth beside it.
//!
//! ```text
//!  scene (what lies where) ──► render (rows in time) ──► sensor (light to grey)
//!    └ motion, script            └ sprite, texture (blur)     truth ◄── scene
//! ```
//!
//! Frame N is a function of seed, plan, script and N alone; the truth is asked
//! of the same scene. The belt runs to the right. It is a [`Source`] like any
//! camera, the load generator of tests and benchmarks, and the camera of
//! `beltscan demo`.

mod cylinder;
pub mod degrade;
mod face;
mod mix;
mod motion;
mod print;
mod render;
mod scene;
mod script;
mod sensor;
mod sprite;
mod texture;
mod truth;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::render::Renderer;
use self::scene::Scene;
pub use self::script::{BeltScript, Look, Place, ScriptedItem, ScriptedLabel};
pub use self::truth::{Truth, TruthCode, TruthItem};
use super::{CameraError, CameraErrorKind, Grab, Source};
use crate::config::{BeltSourcePlan, CameraPlan};
use crate::frame::{Pool, Stamp};

/// Where a belt that does not run in real time begins on the clock.
const SIMULATED_START_NS: i64 = 1_000_000_000;

/// A belt and its clock. It goes on while no camera looks at it: a camera that is
/// opened again finds it further on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Belt {
    scene: Arc<Scene>,
    /// The belt's start on `CLOCK_MONOTONIC` and in UTC, ns.
    start_ns: i64,
    start_wall_ns: i64,
    /// When the source ends, s.
    end: f64,
    progress: Arc<Mutex<Progress>>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Number of the next frame.
    next: u64,
    /// Outages that were reported, by their place in the script (simulated time
    /// alone: there an outage takes no time).
    reported: Vec<usize>,
    /// Stamp of the newest frame.
    latest: Stamp,
}

impl Belt {
    /// The belt that `plan` and `script` describe, under the camera `camera` (of
    /// which size, rate and exposure count; 250 microseconds if it says none).
    pub fn new(
        camera: &CameraPlan,
        plan: &BeltSourcePlan,
        script: BeltScript,
    ) -> Result<Self, CameraError> {
        let scene = Arc::new(Scene::new(camera, plan, script)?);
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos() as i64);
        let (start_ns, start_wall_ns) = match (plan.real_time, plan.started_unix_ms) {
            (false, _) => (SIMULATED_START_NS, wall),
            (true, 0) => (monotonic_ns(), wall),
            (true, started) => {
                let started = (started as i64).saturating_mul(1_000_000);
                (monotonic_ns() - (wall - started), started)
            }
        };
        Ok(Self {
            end: scene.end(),
            scene,
            start_ns,
            start_wall_ns,
            progress: Arc::default(),
        })
    }

    /// A camera over the belt. Fails while the script has the camera lost.
    pub fn open(&self) -> Result<BeltCamera, CameraError> {
        if self.scene.plan.real_time
            && let Some((_, outage)) = self.outage(self.now())
            && outage.reported
        {
            return Err(lost(CameraErrorKind::Absent));
        }
        Ok(BeltCamera {
            belt: self.clone(),
            renderer: Renderer::new(Arc::clone(&self.scene)),
        })
    }

    /// What is really on the belt.
    pub fn truth(&self) -> Truth {
        Truth {
            scene: Arc::clone(&self.scene),
            start_ns: self.start_ns,
        }
    }

    /// Stamp of the newest frame that a camera took.
    pub fn latest(&self) -> Stamp {
        self.progress().latest
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Whole between any two statements.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the start on the live clock.
    fn now(&self) -> f64 {
        (monotonic_ns() - self.start_ns) as f64 * 1e-9
    }

    fn outage(&self, time: f64) -> Option<(usize, script::Outage)> {
        self.scene
            .script
            .outages
            .iter()
            .copied()
            .enumerate()
            .find(|(_, o)| (o.from.as_secs_f64()..o.until.as_secs_f64()).contains(&time))
    }

    fn stamp(&self, number: u64) -> Stamp {
        let time = (number as f64 / self.scene.fps * 1e9).round() as i64;
        Stamp {
            sequence: number,
            mono_ns: u64::try_from(self.start_ns + time).unwrap_or(0),
            wall_ns: self.start_wall_ns + time,
            exposure_us: Some((self.scene.exposure(number) * 1e6).round() as u32),
        }
    }
}

/// A camera over a belt.
#[derive(Debug)]
pub struct BeltCamera {
    belt: Belt,
    renderer: Renderer,
}

impl BeltCamera {
    /// A camera over a belt of its own, as the configuration describes it.
    pub fn open(camera: &CameraPlan, plan: &BeltSourcePlan) -> Result<Self, CameraError> {
        Belt::new(camera, plan, BeltScript::new())?.open()
    }

    /// What is really on the belt.
    pub fn truth(&self) -> Truth {
        self.belt.truth()
    }

    /// The belt, for its clock and for opening it again.
    pub fn belt(&self) -> &Belt {
        &self.belt
    }

    /// Which frame comes next, and what is to be done before it does.
    fn turn(&self) -> Result<Turn, CameraError> {
        let belt = &self.belt;
        let scene = &belt.scene;
        let mut progress = belt.progress();
        let mut number = progress.next;
        if scene.plan.real_time {
            // A frame is there once its last row has been read.
            let longest = scene.exposure(0).max(scene.exposure(1));
            let lag = (longest + scene.readout) / 2.0;
            let now = belt.now();
            let newest = ((now - lag) * scene.fps).floor();
            if newest < number as f64 {
                return Ok(Turn::Wait((number as f64 / scene.fps) + lag - now));
            }
            number = newest as u64;
        }
        let time = |number: u64| number as f64 / scene.fps;
        while let Some((nth, outage)) = belt.outage(time(number)) {
            let back = outage.until.as_secs_f64();
            if scene.plan.real_time {
                if outage.reported {
                    return Err(lost(CameraErrorKind::Lost));
                }
                return Ok(Turn::Wait(back - time(number)));
            }
            // Steps over the whole outage at once; rounding must not lead back.
            number = ((back * scene.fps).ceil() as u64).max(number + 1);
            progress.next = number;
            if outage.reported && !progress.reported.contains(&nth) {
                progress.reported.push(nth);
                return Err(lost(CameraErrorKind::Lost));
            }
        }
        if time(number) >= belt.end {
            return Ok(Turn::End);
        }
        progress.next = number;
        Ok(Turn::Frame(number))
    }
}

/// What a camera does next.
enum Turn {
    Frame(u64),
    /// Nothing for so many seconds.
    Wait(f64),
    End,
}

impl Source for BeltCamera {
    fn grab(&mut self, pool: &Pool, patience: Duration) -> Result<Grab, CameraError> {
        let deadline = Instant::now() + patience;
        loop {
            let wait = match self.turn()? {
                Turn::End => return Ok(Grab::End),
                Turn::Wait(seconds) => seconds,
                Turn::Frame(number) => {
                    let scene = &self.belt.scene;
                    let size = (scene.width as usize, scene.height as usize);
                    if let Some(mut frame) = pool.take(size.0, size.1) {
                        self.renderer.draw(number, &mut frame);
                        frame.stamp = self.belt.stamp(number);
                        let mut progress = self.belt.progress();
                        progress.next = number + 1;
                        progress.latest = frame.stamp;
                        return Ok(Grab::Frame(frame));
                    }
                    if scene.plan.real_time {
                        // Dropped; the sequence shows it.
                        self.belt.progress().next = number + 1;
                    }
                    // Nobody is told when a buffer comes back: look again soon.
                    0.0002
                }
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Grab::Idle);
            }
            std::thread::sleep(left.min(Duration::from_secs_f64(wait.clamp(1e-5, 3600.0))));
        }
    }

    fn describe(&self) -> String {
        let scene = &self.belt.scene;
        format!(
            "synthetic belt, seed {}: {}x{} at {} frames a second, {} us exposure, {} m/s at {} px/mm{}",
            scene.plan.seed,
            scene.width,
            scene.height,
            scene.fps,
            (scene.exposure(0) * 1e6).round(),
            scene.plan.speed_m_s,
            scene.plan.px_per_mm,
            if scene.plan.real_time {
                ""
            } else {
                ", as fast as frames are taken"
            }
        )
    }
}

fn lost(kind: CameraErrorKind) -> CameraError {
    CameraError {
        kind,
        message: "the synthetic belt's camera is away, as its script has it".into(),
        cure: "it comes back by itself".into(),
    }
}

/// `CLOCK_MONOTONIC` now, ns.
fn monotonic_ns() -> i64 {
    i64::try_from(crate::clock::mono_ns()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
