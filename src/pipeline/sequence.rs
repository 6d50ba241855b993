//! Frames of one camera, read one after another on the caller's thread: the way
//! of a frame through reader and items without threads, for recordings,
//! benchmarks and tests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::config::{ItemPlan, NoReadsPlan, RulePlan};
use crate::frame::{Luma, Stamp};
use crate::item::{Event, Hint, Tracker};
use crate::qr::{Reader, ReaderOptions, Reads};

/// After the last frame nothing more comes: so much later every track has been
/// out of sight for too long, whatever `item.lost-ms` says (at most an hour).
const AFTER_ALL: Duration = Duration::from_secs(2 * 3600);

/// A reader and a tracker that work hand in hand.
pub struct Sequence {
    options: ReaderOptions,
    reader: Reader,
    reads: Reads,
    hints: Vec<Hint>,
    plan: ItemPlan,
    rules: Vec<RulePlan>,
    noreads: NoReadsPlan,
    /// Made with the first frame, which tells its size.
    tracker: Option<Tracker>,
    last: Stamp,
}

impl Sequence {
    /// Reads by `options`, makes items by `plan`. The size in the plan gives way
    /// to that of the first frame.
    pub fn new(
        options: ReaderOptions,
        plan: ItemPlan,
        rules: Vec<RulePlan>,
        noreads: NoReadsPlan,
    ) -> Self {
        Self {
            reader: Reader::new(options.clone()),
            options,
            reads: Reads::default(),
            hints: Vec::new(),
            plan,
            rules,
            noreads,
            tracker: None,
            last: Stamp::default(),
        }
    }

    /// Takes the next frame; appends the items that are decided with it. `false`
    /// if the reader panicked on it: nothing is known of it then.
    pub fn frame(&mut self, stamp: &Stamp, luma: Luma<'_>, out: &mut Vec<Event>) -> bool {
        let (plan, rules, noreads) = (&mut self.plan, &self.rules, &self.noreads);
        let tracker = self.tracker.get_or_insert_with(|| {
            (plan.width, plan.height) = (luma.width() as u32, luma.height() as u32);
            Tracker::new(plan, rules.clone(), noreads)
        });
        self.hints.clear();
        tracker.hints(stamp.mono_ns, &mut self.hints);
        for hint in &mut self.hints {
            hint.exposed(stamp.exposure_us);
        }
        let (reader, reads, hints) = (&mut self.reader, &mut self.reads, &self.hints);
        let whole = catch_unwind(AssertUnwindSafe(|| reader.read(luma, hints, reads))).is_ok();
        if !whole {
            self.reader = Reader::new(self.options.clone());
            self.reads = Reads::default();
        }
        tracker.frame(stamp, (&self.reads).into(), Some(luma), out);
        self.last = *stamp;
        whole
    }

    /// What the last frame told by itself.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// No frame of this camera comes any more: all that is open is decided. A
    /// frame after that is the first of another sequence.
    pub fn end(&mut self, out: &mut Vec<Event>) {
        if let Some(mut tracker) = self.tracker.take() {
            let later = self
                .last
                .mono_ns
                .saturating_add(AFTER_ALL.as_nanos() as u64);
            tracker.tick(later, self.last.wall_ns, out);
        }
    }
}
