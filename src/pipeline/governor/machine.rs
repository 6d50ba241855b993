//! The state machine: a series of snapshots in, a level out. It knows no clock and
//! no file.
//!
//! **Up.** Two snapshots in a row (they come once a second) that say "too much"
//! make it one level more; the next two are then already of that level. Memory that
//! is nearly gone does not wait for the second one.
//!
//! **Down.** One level less after ten snapshots in a row that say "room", with
//! bounds lower than those for too much; what leaving out frames saves is known, so
//! that a frame rate is only taken up again if the quota has room for it. A step up
//! within a minute of a step down says that this was too early: from then on twice
//! as many snapshots are wanted, up to five minutes. Ten minutes without a step up
//! and it is ten again.

use std::time::Duration;

use super::{LADDER, TEXT_STOPPED};

/// Snapshots in a row for a step up.
const UP_AFTER: u32 = 2;
/// Snapshots in a row for a step down, at first and at most.
const DOWN_AFTER: (u32, u32) = (10, 300);
/// A step up so soon after one down was caused by it.
const RELAPSE: Duration = Duration::from_secs(60);
/// After so long without a step up the series of relapses is over.
const FORGIVEN: Duration = Duration::from_secs(600);

/// A quota that is used so far is used up: the periods are never all full to the
/// last microsecond.
const QUOTA_FULL: f64 = 0.95;
/// There is room below this.
const QUOTA_ROOM: f64 = 0.85;
/// Share of throttled periods that means the same where nothing tells the time
/// used.
const THROTTLED: f64 = 0.5;
/// Share of throttled periods from which on frames may be late for it.
const STANDS_STILL: f64 = 0.02;
/// Share of the limit of memory held: too much …
const MEMORY_FULL: f64 = 0.92;
/// … nearly gone …
const MEMORY_GONE: f64 = 0.97;
/// … and room.
const MEMORY_ROOM: f64 = 0.85;
/// Share of the time in which tasks wait for memory: the kernel is reclaiming what
/// is needed again at once.
const STALLED: f64 = 0.1;
/// Reading stops at the deadline by itself; the histogram is right to an eighth.
/// Frames beyond this were held up by something else.
const LATE: f64 = 1.25;
/// Share of dropped frames: too many, and few.
const DROPPED: (f64, f64) = (0.2, 0.05);
/// Degrees below the bound at which work is taken up again.
const COOLED: f64 = 5.0;

/// What is known at one moment, of the second before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Frames come at their own pace and are dropped where nobody takes them.
    pub live: bool,
    /// Most time for reading one frame by the plan.
    pub deadline: Duration,
    /// 99 of 100 frames were read within this.
    pub frame_p99: Option<Duration>,
    /// 99 of 100 frames waited no longer than this in the queues.
    pub wait_p99: Option<Duration>,
    /// Share of frames that nobody took in time, where none should be.
    pub dropped: Option<f64>,
    /// Share of the CPU quota that was used.
    pub quota_used: Option<f64>,
    /// Share of the quota's periods that ended in a standstill.
    pub throttled: Option<f64>,
    /// Share of the limit of memory that is held.
    pub memory: Option<f64>,
    /// Share of that limit that the models for text take when they are loaded.
    pub models: f64,
    /// Share of the time in which tasks waited for memory.
    pub memory_stall: f64,
    /// Degrees above (or below) the bound from which on it is too hot.
    pub heat: Option<f64>,
    /// The board slows its processor down.
    pub slowed: bool,
}

/// Why work is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Memory is nearly used up.
    Memory,
    /// The processor is hot, or the board slows it down.
    Heat,
    /// The CPU quota is used up.
    Quota,
    /// Frames take longer than their deadline, though reading stops there: others
    /// have the processor.
    Late,
    /// Frames wait in queues or are dropped.
    Queues,
}

impl Reason {
    /// One word for machines.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Memory => "memory",
            Reason::Heat => "heat",
            Reason::Quota => "quota",
            Reason::Late => "late",
            Reason::Queues => "queues",
        }
    }
}

/// What one snapshot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    TooMuch(Reason),
    /// At once.
    FarTooMuch(Reason),
    Stay,
    Room,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Machine {
    level: u8,
    reason: Option<Reason>,
    /// The models for text are out for want of memory.
    no_models: bool,
    too_much: u32,
    room: u32,
    down_after: u32,
    last_up: Option<Duration>,
    last_down: Option<Duration>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            level: 0,
            reason: None,
            no_models: false,
            too_much: 0,
            room: 0,
            down_after: DOWN_AFTER.0,
            last_up: None,
            last_down: None,
        }
    }
}

impl Machine {
    /// How far the work is cut back: an index into [`LADDER`].
    pub fn level(&self) -> u8 {
        self.level
    }

    /// What made it so; `None` at level 0.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// Shall the models for text go, since memory is short?
    pub fn without_models(&self) -> bool {
        self.no_models
    }

    /// Takes the snapshot of `now`, the time since the start.
    pub fn step(&mut self, now: Duration, snapshot: &Snapshot) {
        match self.judge(snapshot) {
            Says::TooMuch(reason) => {
                self.room = 0;
                self.too_much += 1;
                if self.too_much >= UP_AFTER {
                    self.up(now, reason);
                }
            }
            Says::FarTooMuch(reason) => self.up(now, reason),
            Says::Stay => {
                self.too_much = 0;
                self.room = 0;
            }
            Says::Room => {
                self.too_much = 0;
                self.room += 1;
                if self.level > 0 && self.room >= self.down_after {
                    self.down(now);
                }
            }
        }
        let quiet = self.last_up.is_none_or(|at| now >= at + FORGIVEN);
        if quiet {
            self.down_after = DOWN_AFTER.0;
        }
    }

    fn up(&mut self, now: Duration, reason: Reason) {
        self.too_much = 0;
        self.room = 0;
        if self.last_down.take().is_some_and(|at| now < at + RELAPSE) {
            self.down_after = (self.down_after * 2).min(DOWN_AFTER.1);
        }
        self.last_up = Some(now);
        if reason == Reason::Memory && self.level >= TEXT_STOPPED {
            // Leaving out frames would give nothing back.
            self.no_models = true;
            return;
        }
        self.level = (self.level + 1).min(LADDER.len() as u8 - 1);
        self.reason = Some(reason);
        if reason == Reason::Memory && self.level >= TEXT_STOPPED {
            self.no_models = true;
        }
    }

    fn down(&mut self, now: Duration) {
        self.room = 0;
        self.last_down = Some(now);
        self.level -= 1;
        if self.level < TEXT_STOPPED {
            self.no_models = false;
        }
        if self.level == 0 {
            self.reason = None;
        }
    }

    fn judge(&self, seen: &Snapshot) -> Says {
        let memory = self.judge_memory(seen);
        let (here, below) = (
            self.step_at(self.level),
            self.step_at(self.level.saturating_sub(1)),
        );
        if !seen.live {
            return memory;
        }
        let heat = match (seen.heat, seen.slowed) {
            (_, true) => Says::TooMuch(Reason::Heat),
            (Some(over), _) if over >= 0.0 => Says::TooMuch(Reason::Heat),
            (Some(over), _) if over > -COOLED => Says::Stay,
            _ => Says::Room,
        };
        let quota = match (seen.quota_used, seen.throttled) {
            (Some(used), _) if used >= QUOTA_FULL => Says::TooMuch(Reason::Quota),
            // What the level below would use, at most.
            (Some(used), _) if used * here / below >= QUOTA_ROOM => Says::Stay,
            (None, Some(share)) if share >= THROTTLED => Says::TooMuch(Reason::Quota),
            (None, Some(share)) if share >= THROTTLED / 2.0 => Says::Stay,
            _ => Says::Room,
        };
        // A frame has until the next one that is read.
        let share = |time: Option<Duration>, step: f64| {
            let allowed = seen.deadline.as_secs_f64() * step;
            time.map_or(0.0, |time| time.as_secs_f64() / allowed.max(1e-6))
        };
        // At level 0 without standstills frames may well end at their deadline.
        let throttled = seen.throttled.is_some_and(|share| share > STANDS_STILL);
        let cut = self.level > 0 || throttled;
        let bound = if cut { 1.0 } else { LATE };
        let late = match seen.frame_p99 {
            time if share(time, here) > bound => Says::TooMuch(Reason::Late),
            time if share(time, below) > 0.9 => Says::Stay,
            _ => Says::Room,
        };
        let waits = share(seen.wait_p99, here);
        let dropped = seen.dropped.unwrap_or(0.0);
        let queues = match waits > 2.0 || dropped > DROPPED.0 {
            true => Says::TooMuch(Reason::Queues),
            false if waits > 1.0 || dropped > DROPPED.1 => Says::Stay,
            false => Says::Room,
        };
        // Where others have the processor, the reader takes the newest frame whenever
        // it gets a turn: to leave out frames beforehand would only lose some of them.
        let others = self.level >= TEXT_STOPPED && !throttled;
        let unless_others = |says: Says| match says {
            Says::TooMuch(_) if others => Says::Stay,
            says => says,
        };
        let (late, queues) = (unless_others(late), unless_others(queues));
        let all = [memory, heat, quota, late, queues];
        let first = |wanted: fn(&Says) -> bool| all.into_iter().find(wanted);
        first(|says| matches!(says, Says::FarTooMuch(_)))
            .or_else(|| first(|says| matches!(says, Says::TooMuch(_))))
            .or_else(|| first(|says| matches!(says, Says::Stay)))
            .unwrap_or(Says::Room)
    }

    fn judge_memory(&self, seen: &Snapshot) -> Says {
        let Some(held) = seen.memory else {
            return Says::Room;
        };
        // What comes back with a step down.
        let back = match self.no_models && self.level == TEXT_STOPPED {
            true => seen.models,
            false => 0.0,
        };
        let full = held >= MEMORY_FULL || seen.memory_stall >= STALLED;
        match full && self.level >= TEXT_STOPPED && self.no_models {
            // There is nothing more to be given back.
            true => Says::Stay,
            false if held >= MEMORY_GONE => Says::FarTooMuch(Reason::Memory),
            false if full => Says::TooMuch(Reason::Memory),
            false if held + back >= MEMORY_ROOM => Says::Stay,
            false => Says::Room,
        }
    }

    fn step_at(&self, level: u8) -> f64 {
        LADDER
            .get(usize::from(level))
            .map_or(1.0, |measures| f64::from(measures.frame_step))
    }
}
