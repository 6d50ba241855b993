//! The item stage: results in the order of their frames, the tracker's word on
//! what passed, events to the outbox, hints back to the readers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use super::engine::ReadBy;
use super::governor::{Measures, TextRate};
use super::order::Order;
use super::{PATIENCE, Shared, live, lock};
use crate::clock;
use crate::command::Reply;
use crate::config::{NoReadsPlan, Plan};
use crate::frame::{Frame, Stamp};
use crate::item::text::{Skip, TextAnswer, TextRequest};
use crate::item::{Event, EventKind, Pictures, Tracker};
use crate::publish::EventSender;
use crate::qr::{Hint, Reads};
use crate::snapshot::Pulse;

/// How often a stage that holds events for their text looks at the clock.
const TEXT_TURN: Duration = Duration::from_millis(10);

/// What comes to this stage.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are frames, and a frame's way allocates nothing"
)]
pub(super) enum Input {
    /// A frame that was read.
    Frame(ReadFrame),
    /// A reader has ended.
    ReaderDone,
    /// Open a trigger window.
    Trigger {
        request_id: Option<String>,
        reply: SyncSender<Reply>,
    },
    /// Save the next frame.
    Snapshot { reply: SyncSender<Reply> },
    /// Text that was read.
    Text(TextAnswer),
    /// Go on under this plan.
    Plan(Arc<Plan>),
}

/// A frame with what was read in it.
pub(super) struct ReadFrame {
    pub(super) ticket: u64,
    pub(super) frame: Frame,
    pub(super) reads: Reads,
    pub(super) by: ReadBy,
    /// How long it waited for a reader.
    pub(super) waited: Duration,
    /// When its reader was done with it.
    pub(super) read_at: Instant,
}

pub(super) struct Items {
    shared: Arc<Shared>,
    tracker: Tracker,
    events: EventSender,
    order: Order<ReadFrame>,
    readers: usize,
    /// Frames come at the pace of the clock, so that silence means time.
    live: bool,
    last_frame: Option<Stamp>,
    decided: Vec<Event>,
    hints: Vec<Hint>,
    to_text: SyncSender<TextRequest>,
    /// Requests for text that are not answered yet.
    asked: usize,
    /// Requests for which there was no room, where none may be dropped.
    unsent: VecDeque<TextRequest>,
    /// Longest that an event waits for text.
    text_wait: Duration,
    panics: Option<Pictures>,
    snapshots: Vec<SyncSender<Reply>>,
}

impl Items {
    pub(super) fn new(
        plan: &Plan,
        tracker: Tracker,
        readers: usize,
        events: EventSender,
        to_text: SyncSender<TextRequest>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            shared,
            tracker,
            events,
            order: Order::new(),
            readers,
            live: live(plan),
            last_frame: None,
            decided: Vec::new(),
            hints: Vec::new(),
            to_text,
            asked: 0,
            unsent: VecDeque::new(),
            text_wait: plan.ocr.wait,
            panics: Pictures::new(&panic_pictures(plan)),
            snapshots: Vec::new(),
        }
    }

    pub(super) fn run(mut self, input: &Receiver<Input>, pulse: &Pulse) {
        loop {
            pulse.beat();
            let patience = match self.tracker.waits_for_text() && self.live {
                true => TEXT_TURN,
                false => PATIENCE,
            };
            match input.recv_timeout(patience) {
                Ok(input) => self.take(input),
                Err(RecvTimeoutError::Timeout) => self.silence(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(read) = self.order.next() {
                self.frame(read);
                self.ask();
                self.hand_over();
                if !self.live {
                    self.await_text(input, pulse, None);
                }
            }
            self.hand_over();
            if self.readers == 0 {
                break;
            }
        }
        let (mono_ns, wall_ns) = self.now();
        self.tracker.finish(wall_ns, &mut self.decided);
        if self.tracker.waits_for_text() {
            let until = self.live.then(|| Instant::now() + self.text_wait);
            self.await_text(input, pulse, until);
            self.tracker.tick(mono_ns, wall_ns, &mut self.decided);
        }
        self.tracker.give_up_text(&mut self.decided);
        self.hand_over();
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Frame(read) => self.order.put(read.ticket, read),
            Input::ReaderDone => self.readers -= 1,
            Input::Trigger { request_id, reply } => self.trigger(request_id, &reply),
            Input::Snapshot { reply } => self.snapshots.push(reply),
            Input::Text(answer) => {
                self.asked = self.asked.saturating_sub(1);
                self.tracker.text_read(answer, &mut self.decided);
            }
            Input::Plan(plan) => self.reconfigure(&plan),
        }
    }

    /// Hands requests for text to its thread. Where time is simulated there is
    /// room for all of them; else what has no room is dropped and counted.
    fn ask(&mut self) {
        let mut refused = Vec::new();
        let stopped = self.measures().text == TextRate::Stopped;
        for request in self.tracker.text_requests() {
            if stopped {
                refused.push((request, Skip::Throttled));
                continue;
            }
            match self.to_text.try_send(request) {
                Ok(()) => self.asked += 1,
                Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) => {
                    refused.push((request, Skip::QueueFull));
                }
            }
        }
        for (request, why) in refused {
            if self.live || why == Skip::Throttled {
                self.shared.meters.text.dropped.add(1);
                self.tracker.text_refused(request, why);
            } else {
                self.unsent.push_back(request);
            }
        }
    }

    /// Waits for all text that was asked for, at most until `until`: a recording
    /// or a simulated belt loses nothing, and gives the same events each time.
    fn await_text(&mut self, input: &Receiver<Input>, pulse: &Pulse, until: Option<Instant>) {
        while self.asked > 0 || !self.unsent.is_empty() {
            pulse.beat();
            while let Some(request) = self.unsent.pop_front() {
                match self.to_text.try_send(request) {
                    Ok(()) => self.asked += 1,
                    Err(TrySendError::Full(request)) => {
                        self.unsent.push_front(request);
                        break;
                    }
                    Err(TrySendError::Disconnected(request)) => {
                        self.tracker.text_refused(request, Skip::NoModels);
                    }
                }
            }
            let patience = until.map_or(PATIENCE, |until| {
                until
                    .saturating_duration_since(Instant::now())
                    .min(PATIENCE)
            });
            if patience.is_zero() {
                break;
            }
            match input.recv_timeout(patience) {
                Ok(input) => self.take(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // The text thread has gone with what it had.
            if self.shared.broken.load(Ordering::Relaxed) {
                break;
            }
        }
        self.hand_over();
    }

    fn measures(&self) -> &'static Measures {
        self.shared.control.measures()
    }

    fn frame(&mut self, read: ReadFrame) {
        let ReadFrame {
            frame,
            reads,
            by,
            waited,
            read_at,
            ..
        } = read;
        let waited = waited + read_at.elapsed();
        let waited = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.shared.meters.vision.wait.record(waited);
        let luma = frame.luma();
        let stamp = frame.stamp;
        if by == ReadBy::FallbackAfterPanic
            && let Some(panics) = &mut self.panics
        {
            panics.save(luma, stamp.wall_ns, "panic");
        }
        for reply in self.snapshots.drain(..) {
            let saved = self
                .tracker
                .pictures()
                .and_then(|pictures| pictures.save(luma, stamp.wall_ns, "snapshot"));
            let answer = match saved {
                Some(name) => Reply {
                    ok: true,
                    detail: name,
                },
                None => Reply {
                    ok: false,
                    detail: "no picture was saved: set noread.save = true, and see the log".into(),
                },
            };
            // Whoever asked may have gone.
            let _ = reply.try_send(answer);
        }
        self.tracker.fuse_frames(self.measures().fusion);
        self.tracker
            .frame(&stamp, (&reads).into(), Some(luma), &mut self.decided);
        self.last_frame = Some(stamp);
        drop(frame);
        lock(&self.shared.results).push(reads);
        self.predict(stamp.mono_ns);
    }

    /// Tells the readers where to expect codes.
    fn predict(&mut self, mono_ns: u64) {
        self.hints.clear();
        self.tracker.hints(mono_ns, &mut self.hints);
        lock(&self.shared.hints).clone_from(&self.hints);
    }

    /// No frame for a while. On a live camera that means that time passes.
    fn silence(&mut self) {
        if self.live {
            let (mono_ns, wall_ns) = self.now();
            self.tracker.tick(mono_ns, wall_ns, &mut self.decided);
        }
    }

    /// Now, on the clock of the frames: monotonic ns, UTC ns.
    fn now(&self) -> (u64, i64) {
        match self.last_frame {
            Some(stamp) if !self.live => (stamp.mono_ns, stamp.wall_ns),
            _ => (clock::mono_ns(), clock::wall_ns()),
        }
    }

    fn trigger(&mut self, request_id: Option<String>, reply: &SyncSender<Reply>) {
        let (mono_ns, wall_ns) = self.now();
        let answer = match self.tracker.open_window(mono_ns, wall_ns, request_id) {
            Ok(()) => Reply {
                ok: true,
                detail: "the window is open".into(),
            },
            Err(refused) => Reply {
                ok: false,
                detail: refused.to_string(),
            },
        };
        let _ = reply.try_send(answer);
    }

    fn reconfigure(&mut self, plan: &Plan) {
        self.tracker
            .configure(&plan.item, plan.rules.clone(), &plan.noread);
        self.tracker.read_text(&plan.ocr);
        self.text_wait = plan.ocr.wait;
        self.panics = Pictures::new(&panic_pictures(plan));
        self.live = live(plan);
    }

    /// Gives decided items to the outbox. This waits while the outbox takes
    /// none: frames may be lost, decided items never.
    fn hand_over(&mut self) {
        for event in self.decided.drain(..) {
            let meters = &self.shared.meters.item;
            match event.kind {
                EventKind::Read => meters.read.add(1),
                EventKind::NoRead => meters.noread.add(1),
            }
            if event.verdict.as_ref().is_some_and(|verdict| !verdict.pass) {
                meters.failed.add(1);
            }
            self.shared
                .meters
                .text
                .skipped
                .add(event.text.skipped.len() as u64);
            if self.events.send(event).is_err() {
                log::error!("an item was decided after the outbox had ended; it is lost");
            }
        }
    }
}

/// Frames on which the reader panicked: a few, for whoever mends it.
fn panic_pictures(plan: &Plan) -> NoReadsPlan {
    NoReadsPlan {
        dir: Some(plan.service.state_dir.join("panics")),
        max_files: 20,
        max_bytes: 50 << 20,
        ..plan.noread.clone()
    }
}
