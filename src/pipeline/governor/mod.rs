//! Fits the work to what the machine grants: before the kernel throttles for long
//! or kills, something is left out, the cheapest first, and taken up again when
//! there is room.
//!
//! Once a second the governor takes the counters and what the control group,
//! the sensors and the kernel tell ([`crate::limits`]), makes a [`Snapshot`] of it,
//! and asks the state machine ([`Machine`]) for the level. The stages look at the
//! level's [`Measures`] before each frame, line or request.
//!
//! | level | what is left out |
//! |---|---|
//! | 0 | nothing |
//! | 1 | costly attempts: a frame gets half of its time |
//! | 2 | a frame gets a quarter of its time, frames are not added up |
//! | 3 | text: its thread has a quarter of the processor that is granted, a bit at a time |
//! | 4 | all text; the models go if memory is short |
//! | 5 to 8 | frames: of 2, 3, 4, 6 only the newest is read |
//!
//! Text stops before codes do. A source that waits for its reader (a recording, a
//! simulated belt) is never late, so there only memory counts, and no frame is left
//! out.

mod machine;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

pub use machine::{Machine, Reason, Snapshot};

use super::{Overflow, live, overflow};
use crate::config::Plan;
use crate::limits::{Accounting, CpuUse, Readings, System};
use crate::snapshot::{Counts, Governing, Meters};

/// What is done at a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Share of the plan's time that reading a frame may take.
    pub time: f32,
    /// Whether frames are added up where no single one tells a code.
    pub fusion: bool,
    /// What becomes of text.
    pub text: TextRate,
    /// Of so many frames one is read.
    pub frame_step: u32,
    /// What is left out, in words.
    pub words: &'static str,
}

/// How much text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRate {
    /// All of it.
    Full,
    /// Its thread has a quarter of the processor that is granted.
    Slow,
    /// None.
    Stopped,
}

/// The level at which no text is read any more. What comes behind it gives no
/// memory back.
pub const TEXT_STOPPED: u8 = 4;

const fn measures(
    time: f32,
    fusion: bool,
    text: TextRate,
    frame_step: u32,
    words: &'static str,
) -> Measures {
    Measures {
        time,
        fusion,
        text,
        frame_step,
        words,
    }
}

/// Every level, from nothing left out to the most.
pub static LADDER: [Measures; 9] = [
    measures(1.0, true, TextRate::Full, 1, "nothing"),
    measures(0.5, true, TextRate::Full, 1, "costly attempts"),
    measures(0.25, false, TextRate::Full, 1, "costly attempts, fusion"),
    measures(0.25, false, TextRate::Slow, 1, "some text"),
    measures(0.25, false, TextRate::Stopped, 1, "text"),
    measures(0.25, false, TextRate::Stopped, 2, "text, every other frame"),
    measures(
        0.25,
        false,
        TextRate::Stopped,
        3,
        "text, two of three frames",
    ),
    measures(
        0.25,
        false,
        TextRate::Stopped,
        4,
        "text, three of four frames",
    ),
    measures(
        0.25,
        false,
        TextRate::Stopped,
        6,
        "text, five of six frames",
    ),
];

/// What the stages look at.
#[derive(Debug, Default)]
pub(super) struct Control {
    level: AtomicU8,
    no_models: AtomicBool,
}

impl Control {
    pub(super) fn measures(&self) -> &'static Measures {
        let level = usize::from(self.level.load(Ordering::Relaxed));
        &LADDER[level.min(LADDER.len() - 1)]
    }

    /// Shall the models for text go, since memory is short?
    pub(super) fn without_models(&self) -> bool {
        self.no_models.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, level: u8, no_models: bool) {
        self.level.store(level, Ordering::Relaxed);
        self.no_models.store(no_models, Ordering::Relaxed);
    }
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The level from now on.
    pub level: u8,
    /// The one before.
    pub before: u8,
    /// Why it is not 0.
    pub reason: Option<Reason>,
    /// The figures that it rests on, in a sentence.
    pub told: String,
}

/// Looks once a second.
pub(super) struct Governor {
    system: System,
    machine: Machine,
    started: Instant,
    before: Before,
}

/// The counters at the last look.
struct Before {
    at: Instant,
    frame_time: Counts,
    wait: Counts,
    frames: u64,
    dropped: u64,
    left_out: u64,
    cpu: Option<CpuUse>,
}

impl Governor {
    pub(super) fn new(system: System, meters: &Meters, now: Instant) -> Self {
        Self {
            system,
            machine: Machine::default(),
            started: now,
            before: Before::take(meters, None, now),
        }
    }

    /// Looks at everything, and says what is to be done.
    pub(super) fn look(&mut self, plan: &Plan, meters: &Meters, now: Instant) -> Decision {
        let limits = self.system.limits();
        let readings = self.system.readings(limits.cpu.as_ref());
        let latest = Before::take(meters, readings.cpu, now);
        let earlier = std::mem::replace(&mut self.before, latest);
        let latest = &self.before;
        let elapsed = (now - earlier.at).as_secs_f64().max(1e-3);

        let quota = limits.cpu.as_ref().map(|quota| quota.cores);
        let (used, throttled) = match (earlier.cpu, latest.cpu) {
            (Some(then), Some(now)) => {
                let used = then.used_us.zip(now.used_us);
                let used = used.map(|(then, now)| now.saturating_sub(then) as f64 / 1e6 / elapsed);
                let periods = now.periods.saturating_sub(then.periods);
                let stopped = now.throttled.saturating_sub(then.throttled);
                let share = (periods > 0).then(|| stopped as f64 / periods as f64);
                (used, share)
            }
            _ => (None, None),
        };
        let memory = memory(plan, limits.memory.accounting, &readings);
        let offered = latest.frames - earlier.frames;
        let left_out = latest.left_out - earlier.left_out;
        let dropped = (latest.dropped - earlier.dropped).saturating_sub(left_out);
        let quantile =
            |now: &Counts, then: &Counts| now.since(then).quantile(0.99).map(Duration::from_nanos);
        let interval = Duration::from_secs_f32(1.0 / plan.camera.fps.max(0.001));
        let snapshot = Snapshot {
            live: live(plan) && overflow(plan) == Overflow::Newest,
            deadline: plan.read.deadline,
            frame_p99: quantile(&latest.frame_time, &earlier.frame_time),
            wait_p99: quantile(&latest.wait, &earlier.wait),
            // Whoever gives frames more time than they have wants some dropped.
            dropped: (offered > 0
                && plan.read.deadline <= interval.mul_f64(1.001) * plan.read.threads as u32)
                // Those that the source itself lost are not among the offered.
                .then(|| dropped as f64 / (offered + dropped) as f64),
            quota_used: used.zip(quota).map(|(used, quota)| used / quota),
            throttled: quota.and(throttled),
            memory: memory.map(|(held, limit)| held as f64 / limit.max(1) as f64),
            models: memory.map_or(0.0, |(_, limit)| {
                plan.text_models_bytes() as f64 / limit.max(1) as f64
            }),
            memory_stall: readings.memory_stall,
            heat: readings.heat.map(|heat| heat.celsius - heat.hot_c),
            slowed: readings.board.is_some_and(|board| board.slowed),
        };
        let before = self.machine.level();
        self.machine.step(now - self.started, &snapshot);
        let level = self.machine.level();
        let reason = self.machine.reason();
        meters.governor.set(Governing {
            level,
            reason: reason.map(Reason::word),
            cut: LADDER[usize::from(level)].words,
            resident: readings.resident,
            group: readings.group,
            memory_limit: memory.map(|(_, limit)| limit),
            quota,
            used,
            throttled: snapshot.throttled,
            temperature: readings.heat.map(|heat| heat.celsius),
        });
        Decision {
            level,
            before,
            reason,
            told: told(&snapshot, &readings),
        }
    }

    /// Shall the models for text go?
    pub(super) fn without_models(&self) -> bool {
        self.machine.without_models()
    }
}

/// What is held of memory, and the limit of it, in bytes. Where the kernel's
/// controller is off the plan's own limit holds, by the resident size.
fn memory(plan: &Plan, accounting: Accounting, readings: &Readings) -> Option<(u64, u64)> {
    match (accounting, readings.tightest) {
        (_, Some(tightest)) => Some((tightest.held, tightest.limit)),
        (Accounting::Off, None) => Some((readings.resident?, plan.memory_minimum())),
        _ => None,
    }
}

impl Before {
    fn take(meters: &Meters, cpu: Option<CpuUse>, at: Instant) -> Self {
        let vision = &meters.vision;
        Self {
            at,
            frame_time: vision.frame_time.counts(),
            wait: vision.wait.counts(),
            left_out: vision.left_out.get(),
            dropped: vision.dropped.get(),
            frames: vision.frames.get(),
            cpu,
        }
    }
}

/// As `quota used to 99 %, 40 % of its periods throttled; frames take 21.3 of 16.7
/// ms`: what is known.
fn told(snapshot: &Snapshot, readings: &Readings) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let parts = [
        snapshot.frame_p99.map(|p99| {
            let (p99, deadline) = (ms(p99), ms(snapshot.deadline));
            format!("99 of 100 frames take at most {p99:.1} of {deadline:.1} ms")
        }),
        snapshot
            .wait_p99
            .map(|wait| format!("they wait {:.1} ms", ms(wait))),
        snapshot
            .dropped
            .map(|share| format!("{} dropped", percent(share))),
        snapshot
            .quota_used
            .map(|share| format!("{} of the CPU quota used", percent(share))),
        snapshot
            .throttled
            .map(|share| format!("{} of its periods throttled", percent(share))),
        snapshot
            .memory
            .map(|share| format!("{} of the memory held", percent(share))),
        (readings.cpu_stall > 0.1).then(|| {
            format!(
                "waits for a processor {} of the time",
                percent(readings.cpu_stall)
            )
        }),
        readings
            .heat
            .map(|heat| format!("{:.0} degrees", heat.celsius)),
        snapshot
            .slowed
            .then(|| "the board slows its processor down".to_owned()),
        readings
            .board
            .is_some_and(|board| board.undervoltage)
            .then(|| "the board's supply is too weak".to_owned()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
