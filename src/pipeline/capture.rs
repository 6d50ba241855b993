//! The camera's thread: the newest frame into the slot, and never a wait for a
//! reader (unless the source is a recording that may lose nothing).

use std::sync::{Arc, Mutex};

use super::slot::{Overflow, Put};
use super::{PATIENCE, Shared, lock, overflow};
use crate::camera::{Grab, Keeper};
use crate::config::{CameraPlan, Plan};
use crate::frame::{Frame, Pool};
use crate::snapshot::Pulse;

/// Another camera, or the same one set otherwise.
pub(super) struct Change {
    pub(super) camera: CameraPlan,
    pub(super) pool: Pool,
    pub(super) overflow: Overflow,
}

pub(super) struct Capture {
    keeper: Keeper,
    pool: Pool,
    overflow: Overflow,
    /// Frames dropped by the source, as far as they are counted already.
    dropped: u64,
    /// Frames since the last one that was handed over.
    since: u32,
    shared: Arc<Shared>,
    change: Arc<Mutex<Option<Change>>>,
}

impl Capture {
    pub(super) fn new(
        keeper: Keeper,
        pool: Pool,
        plan: &Plan,
        shared: Arc<Shared>,
        change: Arc<Mutex<Option<Change>>>,
    ) -> Self {
        Self {
            keeper,
            pool,
            overflow: overflow(plan),
            dropped: 0,
            since: 0,
            shared,
            change,
        }
    }

    pub(super) fn run(mut self, pulse: &Pulse) {
        while !self.shared.stopping() {
            pulse.beat();
            if let Some(change) = lock(&self.change).take() {
                self.keeper.change(change.camera);
                self.pool = change.pool;
                self.overflow = change.overflow;
            }
            let grab = self.keeper.grab(&self.pool, PATIENCE);
            self.report();
            match grab {
                Grab::Frame(frame) => {
                    if !self.hand_over(frame, pulse) {
                        break;
                    }
                }
                Grab::Idle => {}
                Grab::End => break,
            }
        }
        self.shared.slot.close();
    }

    fn hand_over(&mut self, frame: Frame, pulse: &Pulse) -> bool {
        let meters = &self.shared.meters.vision;
        meters.frames.add(1);
        self.since += 1;
        let left_out = self.since < self.shared.control.measures().frame_step;
        if left_out && self.overflow == Overflow::Newest {
            meters.left_out.add(1);
            meters.dropped.add(1);
            return true;
        }
        self.since = 0;
        let mut offer = frame;
        loop {
            match self.shared.slot.put(offer, self.overflow, PATIENCE) {
                Put::Done => return true,
                Put::Displaced(_) => {
                    meters.dropped.add(1);
                    return true;
                }
                Put::Refused(_) if self.shared.stopping() => return false,
                Put::Refused(frame) => {
                    pulse.beat();
                    offer = frame;
                }
            }
        }
    }

    /// What the keeper knows, for status and statistics.
    fn report(&mut self) {
        let state = self.keeper.state();
        let meters = &self.shared.meters.vision;
        meters.camera_up.set(u64::from(state.up));
        meters.reopened.set(state.reopened);
        meters.dropped.add(state.dropped - self.dropped);
        self.dropped = state.dropped;
        let mut shown = lock(&self.shared.camera);
        if *shown != *state {
            shown.clone_from(state);
        }
    }
}
