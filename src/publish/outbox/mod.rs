//! The outbox: where an event gets its number and waits until the broker has it.
//!
//! # What is promised
//!
//! - An event is on disk before it is sent, within `outbox.commit-ms` of the
//!   decision. Events that are decided close together share one transaction.
//! - Inside an epoch, numbers (`seq`) begin at 1 and have no gap; `read` and
//!   `noread` share them. The counter is written in the event's own transaction:
//!   there is no number without an event, and no event without its number.
//! - The body is made once. What is stored is what is sent, and sent again after a
//!   lost connection or a restart: the same bytes, the same id.
//! - An event leaves the outbox when the broker has acknowledged it, when it was
//!   laid aside as a dead letter, or when the bound (bytes, age) gives it up. The
//!   last is never silent: an alert, a count, and a `gap` message that is queued
//!   in the same transaction and names the numbers. (An event that was under way
//!   when it was given up may have arrived all the same.)
//! - Age counts only for events that were stamped by a synchronised clock, and
//!   only while it is synchronised: a machine without a battery clock jumps by
//!   months when it first hears the time.
//!
//! # What a crash can leave
//!
//! SQLite's write-ahead log with `synchronous=FULL` makes a transaction whole or
//! absent, also when the power goes. So after a crash:
//!
//! - events of the last commit window, which had no number yet, are missing;
//! - acknowledged events are deleted once a second, in one transaction, to spare
//!   an SD card: those of the last second are still there and are sent again, byte
//!   by byte the same. A subscriber tells them by their id;
//! - where the last items were is known ([`Published`]), so that a code still in
//!   view is not taken for a new item.
//!
//! # How damage is found and mended
//!
//! - `PRAGMA quick_check` at the start, and SQLite's own checks at every access. A
//!   damaged file is renamed to `outbox.db.corrupt-<n>` (the newest three stay),
//!   a new one with a new epoch takes its place, and an alert says so.
//! - A disk that is full, read-only or failing: events go on from a bounded ring
//!   in memory, under an epoch of their own and marked `durable:false`; the state
//!   is `degraded`. Every few seconds the disk is tried again; when it takes
//!   writes, what is left of the ring goes into the file first, its bytes
//!   unchanged.
//! - After an input/output error nobody knows whether the last transaction reached
//!   the disk. Its numbers are not used again: the file gets a new epoch.
//!
//! One thread owns the file. Others reach it through [`Outbox`].

mod aside;
mod disk;
mod gaps;
mod give_up;
mod mend;
mod ring;
mod store;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::desk::Desk;
use super::message::Message;
use super::sinks::{Done, Sinks};
use crate::config::{OutboxPlan, Outputs};
use crate::item::{Event, Published};
use crate::snapshot::{Meters, Pulse};
use store::Store;

/// Tells whether the wall clock is synchronised.
pub type ClockSynced = Arc<dyn Fn() -> bool + Send + Sync>;

/// Events that may wait for the outbox's thread; beyond it the sender waits.
const WAITING: usize = 1024;

/// Most events in one transaction.
const BATCH: usize = 512;

/// Between two rounds of housekeeping, and the longest wait for work.
const ROUND: Duration = Duration::from_secs(1);

/// A new random epoch: 64 bits in hexadecimal.
fn new_epoch() -> String {
    // The keys of a `RandomState` come from the operating system.
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// What has happened to the queue, for those who wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tip {
    /// Greatest position given.
    pub last: i64,
    /// Messages that are not acknowledged.
    pub waiting: u64,
    /// Changes when older messages have turned up: begin again from the front.
    pub generation: u64,
}

enum Job {
    Event(Box<Event>, Instant),
    /// Something lies in the inbox.
    Look,
    /// Answers when everything before it is durable.
    Flush(SyncSender<()>),
    Stop,
}

/// Work that comes from the MQTT thread, which must never wait for the disk.
#[derive(Default)]
struct Inbox {
    acknowledged: Vec<(i64, u64)>,
    refused: Vec<(Message, String)>,
    fetch: Option<Fetch>,
}

struct Fetch {
    after: i64,
    limit: usize,
    reply: oneshot::Sender<Vec<Message>>,
}

/// The way to the outbox's thread. Cheap to clone.
#[derive(Clone)]
pub(super) struct Outbox {
    jobs: SyncSender<Job>,
    inbox: Arc<Mutex<Inbox>>,
    tip: watch::Receiver<Tip>,
    commits: Arc<AtomicU64>,
}

/// The outbox's thread.
pub(super) struct Running {
    pub outbox: Outbox,
    pub remembered: Vec<Published>,
    pub thread: JoinHandle<()>,
}

/// What the thread works with.
pub(super) struct Parts {
    pub plan: OutboxPlan,
    pub reader: String,
    pub clock_synced: ClockSynced,
    pub meters: Arc<Meters>,
    pub desk: Arc<Desk>,
    pub outputs: Outputs,
    /// Nobody else takes the messages: they are done when the sinks have them.
    pub sinks_only: bool,
    pub pulse: Pulse,
}

/// Opens the outbox and starts its thread.
pub(super) fn start(parts: Parts) -> std::io::Result<Running> {
    let (jobs, work) = sync_channel(WAITING);
    let (tip_to, tip) = watch::channel(Tip::default());
    let inbox = Arc::new(Mutex::new(Inbox::default()));
    let commits = Arc::new(AtomicU64::new(0));
    let outbox = Outbox {
        jobs,
        inbox: Arc::clone(&inbox),
        tip,
        commits: Arc::clone(&commits),
    };
    let done: Option<Done> = match parts.sinks_only {
        true => {
            let outbox = outbox.clone();
            Some(Box::new(move |message| {
                outbox.acknowledge(message.position, message.cost());
            }))
        }
        false => None,
    };
    let sinks = Sinks::start(&parts.outputs, &parts.desk, done)?;
    let commit = parts.plan.commit;
    let mut store = Store::open(
        parts.plan,
        parts.reader,
        parts.clock_synced,
        parts.meters,
        parts.desk,
    );
    let remembered = store.remembered();
    let mut worker = Worker {
        store,
        // The other half of the time is for the write itself.
        gather: commit / 2,
        inbox,
        tip: tip_to,
        commits,
        sinks,
        sinks_only: parts.sinks_only,
        pulse: parts.pulse,
    };
    let thread = std::thread::Builder::new()
        .name("outbox".into())
        .spawn(move || worker.run(&work))?;
    Ok(Running {
        outbox,
        remembered,
        thread,
    })
}

/// The outbox's thread has ended; the event could not be given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the outbox has been closed")
    }
}

impl std::error::Error for Ended {}

impl Outbox {
    /// Hands `event` over; waits while the outbox has more than it can take.
    pub(super) fn send(&self, event: Event) -> Result<(), Ended> {
        self.jobs
            .send(Job::Event(Box::new(event), Instant::now()))
            .map_err(|_| Ended)
    }

    /// Returns when everything sent before is durable, and the tip tells of it.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.jobs.send(Job::Flush(done)).is_ok() {
            // An error means that the thread has ended: nothing is left to flush.
            let _ = wait.recv();
        }
    }

    /// Lets the thread end when it has done what was sent before.
    pub(super) fn stop(&self) {
        let _ = self.jobs.send(Job::Stop);
    }

    /// The broker has the message at `position`, which cost `cost`.
    pub(super) fn acknowledge(&self, position: i64, cost: u64) {
        self.leave(|inbox| inbox.acknowledged.push((position, cost)));
    }

    /// The broker will never take `message`.
    pub(super) fn bury(&self, message: Message, reason: String) {
        self.leave(|inbox| inbox.refused.push((message, reason)));
    }

    /// Asks for the next messages behind `after`. A question that is open already
    /// is dropped.
    pub(super) fn fetch(&self, after: i64, limit: usize) -> oneshot::Receiver<Vec<Message>> {
        let (reply, answer) = oneshot::channel();
        self.leave(|inbox| {
            inbox.fetch = Some(Fetch {
                after,
                limit,
                reply,
            });
        });
        answer
    }

    /// What has happened to the queue.
    pub(super) fn tip(&self) -> watch::Receiver<Tip> {
        self.tip.clone()
    }

    /// Transactions written since the start.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn leave(&self, paper: impl FnOnce(&mut Inbox)) {
        paper(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        match self.jobs.try_send(Job::Look) {
            // With jobs waiting the thread will look anyway.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

struct Worker {
    store: Store,
    gather: Duration,
    inbox: Arc<Mutex<Inbox>>,
    tip: watch::Sender<Tip>,
    commits: Arc<AtomicU64>,
    sinks: Option<Sinks>,
    sinks_only: bool,
    pulse: Pulse,
}

impl Worker {
    fn run(&mut self, work: &Receiver<Job>) {
        let mut batch: Vec<Event> = Vec::new();
        let mut commit_at: Option<Instant> = None;
        let mut tidied = Instant::now();
        if self.sinks_only {
            self.feed_what_was_left();
        }
        self.tell();
        loop {
            self.pulse.beat();
            let until = commit_at.unwrap_or(tidied + ROUND);
            let wait = until.saturating_duration_since(Instant::now());
            let mut flushed = None;
            let mut stop = false;
            match work.recv_timeout(wait.min(ROUND)) {
                Ok(Job::Event(event, decided)) => {
                    batch.push(*event);
                    commit_at.get_or_insert(decided + self.gather);
                }
                Ok(Job::Flush(done)) => flushed = Some(done),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => stop = true,
                Ok(Job::Look) | Err(RecvTimeoutError::Timeout) => {}
            }
            let due = commit_at.is_some_and(|at| at <= Instant::now());
            if due || batch.len() >= BATCH || flushed.is_some() || stop {
                self.commit(&mut batch);
                commit_at = None;
            }
            if stop && let Some(sinks) = self.sinks.take() {
                sinks.finish();
            }
            self.work_inbox();
            if stop || tidied.elapsed() >= ROUND {
                self.store.tidy();
                tidied = Instant::now();
            }
            self.tell();
            // Whoever waits looks at the tip next: whether all has been sent.
            if let Some(done) = flushed {
                let _ = done.send(());
            }
            if stop {
                return;
            }
        }
    }

    fn commit(&mut self, batch: &mut Vec<Event>) {
        if batch.is_empty() {
            return;
        }
        let messages = self.store.accept(batch);
        batch.clear();
        self.feed(&messages);
    }

    /// Gives numbered messages to the sinks.
    fn feed(&self, messages: &[Message]) {
        if let Some(sinks) = &self.sinks {
            messages.iter().for_each(|message| sinks.put(message));
        }
    }

    /// Without a broker, messages that a crash kept from the sinks go there now.
    fn feed_what_was_left(&mut self) {
        let mut last = i64::MIN;
        loop {
            let messages = self.store.fetch(last, BATCH, FETCH_BYTES);
            let Some(message) = messages.last() else {
                return;
            };
            last = message.position;
            self.feed(&messages);
            // The sinks may be slow.
            self.pulse.beat();
        }
    }

    fn work_inbox(&mut self) {
        let inbox = std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        for (position, cost) in inbox.acknowledged {
            self.store.acknowledge(position, cost);
        }
        for (message, reason) in inbox.refused {
            self.store.bury(message, reason);
        }
        if let Some(fetch) = inbox.fetch {
            let messages = self.store.fetch(fetch.after, fetch.limit, FETCH_BYTES);
            // Whoever asked may have lost the connection meanwhile.
            let _ = fetch.reply.send(messages);
        }
    }

    fn tell(&mut self) {
        let (last, waiting) = self.store.tip();
        let tip = Tip {
            last,
            waiting,
            generation: self.store.generation,
        };
        self.commits.store(self.store.commits, Ordering::Relaxed);
        self.tip.send_if_modified(|old| {
            let new = *old != tip;
            *old = tip;
            new
        });
    }
}

/// Most bytes of bodies in one answer.
const FETCH_BYTES: usize = 1 << 20;
