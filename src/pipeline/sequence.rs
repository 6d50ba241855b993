//! Frames of one camera, read one after another on the caller's thread: the way
//! of a frame through reader and items without threads, for recordings,
//! benchmarks and tests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::text::{TextEngine, read};
use crate::config::{ItemPlan, NoReadsPlan, OcrPlan, RulePlan};
use crate::frame::{Luma, Stamp};
use crate::item::text::{Skip, TextAnswer, TextRequest};
use crate::item::{Event, Hint, Tracker};
use crate::ocr::Pace;
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
    ocr: OcrPlan,
    engine: Option<Box<dyn TextEngine>>,
    requests: Vec<TextRequest>,
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
            ocr: OcrPlan::none(),
            engine: None,
            requests: Vec::new(),
            tracker: None,
            last: Stamp::default(),
        }
    }

    /// Reads the fields of `ocr` as well, with `engine`, each as soon as it is asked
    /// for: no event waits, and none is without its text for want of time.
    #[must_use]
    pub fn with_text(mut self, ocr: OcrPlan, engine: Box<dyn TextEngine>) -> Self {
        self.ocr = ocr;
        self.engine = Some(engine);
        self
    }

    /// Takes the next frame; appends the items that are decided with it. `false`
    /// if the reader panicked on it: nothing is known of it then.
    pub fn frame(&mut self, stamp: &Stamp, luma: Luma<'_>, out: &mut Vec<Event>) -> bool {
        let (plan, rules, noreads) = (&mut self.plan, &self.rules, &self.noreads);
        let tracker = self.tracker.get_or_insert_with(|| {
            (plan.width, plan.height) = (luma.width() as u32, luma.height() as u32);
            let mut tracker = Tracker::new(plan, rules.clone(), noreads);
            tracker.read_text(&self.ocr);
            tracker
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
        self.requests.extend(tracker.text_requests());
        for request in self.requests.drain(..) {
            tracker.text_read(answer(&mut self.engine, request), out);
        }
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
            // Whatever was asked for has been answered.
            tracker.give_up_text(out);
        }
    }
}

/// What `engine` says to a request. After a panic there is none any more.
fn answer(engine: &mut Option<Box<dyn TextEngine>>, request: TextRequest) -> TextAnswer {
    let TextRequest {
        id,
        wanted,
        cut,
        corners,
        ..
    } = request;
    let done = catch_unwind(AssertUnwindSafe(|| match engine {
        Some(engine) => {
            read(&mut **engine, &cut, corners, &wanted, &mut Pace::steady()).map_err(|fault| {
                log::error!("the models for text failed on a line: {fault}");
                Skip::Failed
            })
        }
        None => Err(Skip::NoModels),
    }));
    let lines = done.unwrap_or_else(|_| {
        log::error!("the models for text panicked: no more text is read");
        *engine = None;
        Err(Skip::Failed)
    });
    TextAnswer { id, cut, lines }
}
