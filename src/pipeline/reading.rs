//! A reader's thread: takes a frame, reads it, hands frame and reads on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::engine::{Guarded, ReadBy};
use super::items::{Input, ReadFrame};
use super::slot::Taken;
use super::{PATIENCE, Shared, lock};
use crate::config::ReadPlan;
use crate::qr::{Hint, Reader, ReaderOptions};
use crate::snapshot::Pulse;

pub(super) struct Reading {
    shared: Arc<Shared>,
    to_items: SyncSender<Input>,
    engine: Guarded<Reader>,
    /// Most time for a frame by the plan.
    deadline: Duration,
    generation: u64,
    hints: Vec<Hint>,
}

impl Reading {
    pub(super) fn new(shared: Arc<Shared>, to_items: SyncSender<Input>) -> Self {
        let plan = shared.plan();
        let engine = Guarded::reader(options(&plan.read));
        Self {
            deadline: plan.read.deadline,
            generation: shared.generation.load(Ordering::Acquire),
            shared,
            to_items,
            engine,
            hints: Vec::new(),
        }
    }

    pub(super) fn run(mut self, pulse: &Pulse) {
        loop {
            pulse.beat();
            let (ticket, frame, waited) = match self.shared.slot.take(PATIENCE) {
                Taken::Value(ticket, frame, waited) => (ticket, frame, waited),
                Taken::Nothing => continue,
                Taken::Closed => break,
            };
            self.take_up_plan();
            self.hints.clone_from(&lock(&self.shared.hints));
            for hint in &mut self.hints {
                hint.exposed(frame.stamp.exposure_us);
            }
            let time = self.deadline.mul_f32(self.shared.control.measures().time);
            self.engine.allow(time);
            let mut reads = lock(&self.shared.results).pop().unwrap_or_default();
            let started = Instant::now();
            let by = self
                .engine
                .read(frame.stamp.mono_ns, frame.luma(), &self.hints, &mut reads);
            let meters = &self.shared.meters.vision;
            meters
                .frame_time
                .record(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
            meters.codes.add(reads.codes.len() as u64);
            if by == ReadBy::FallbackAfterPanic {
                meters.panics.add(1);
                log::error!(
                    "the reader panicked on frame {}: the frame is saved, rqrr reads around known places meanwhile",
                    frame.stamp.sequence
                );
            }
            let read = ReadFrame {
                ticket,
                frame,
                reads,
                by,
                waited,
                read_at: Instant::now(),
            };
            if self.to_items.send(Input::Frame(read)).is_err() {
                return;
            }
        }
        let _ = self.to_items.send(Input::ReaderDone);
    }

    fn take_up_plan(&mut self) {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if generation != self.generation {
            self.generation = generation;
            let plan = self.shared.plan();
            self.deadline = plan.read.deadline;
            self.engine = Guarded::reader(options(&plan.read));
        }
    }
}

fn options(plan: &ReadPlan) -> ReaderOptions {
    ReaderOptions {
        inverted: plan.inverted,
        mirrored: plan.mirrored,
        micro: plan.micro,
        still: true,
        max_codes: plan.max_codes,
        deadline: Some(plan.deadline),
        budget: None,
    }
}
