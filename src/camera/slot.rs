//! Where a thread that reads pictures leaves the newest for the one that takes
//! them. Three buffers go round: one being filled, one waiting, one taken.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Which pictures the caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// The newest: older ones are dropped unseen.
    Newest,
    /// Every one: the child waits.
    Every,
}

/// One picture as it was written.
pub(super) struct Shot {
    /// Its bytes. To be given back with [`Slot::give_back`].
    pub(super) bytes: Vec<u8>,
    /// Count of pictures before it.
    pub(super) sequence: u64,
    /// When it came, on the monotonic clock, or was due by the pace of those before.
    pub(super) stamp_ns: u64,
}

/// How the pictures ended.
#[derive(Clone)]
pub(super) enum Ended {
    /// Between two of them.
    Between,
    /// With a fault.
    Broken(String),
}

/// What waiting brought.
pub(super) enum Waited {
    /// A picture.
    Shot(Shot),
    /// None, and there will be none.
    Ended(Ended),
    /// None yet.
    Idle,
}

/// The place between the two threads.
#[derive(Default)]
pub(super) struct Slot {
    inner: Mutex<Inner>,
    /// Rung at every change.
    bell: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: Option<Shot>,
    spare: VecDeque<Vec<u8>>,
    ended: Option<Ended>,
    /// The taker has gone.
    abandoned: bool,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whole between any two statements.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reader: an empty buffer.
    pub(super) fn buffer(&self) -> Vec<u8> {
        let mut bytes = self.lock().spare.pop_front().unwrap_or_default();
        bytes.clear();
        bytes
    }

    /// Reader: leaves a picture; `false` if nobody wants it any more.
    pub(super) fn put(&self, shot: Shot, keep: Keep) -> bool {
        let mut inner = self.lock();
        while keep == Keep::Every && inner.waiting.is_some() && !inner.abandoned {
            inner = self
                .bell
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(older) = inner.waiting.replace(shot) {
            inner.spare.push_back(older.bytes);
        }
        self.bell.notify_all();
        !inner.abandoned
    }

    /// Reader: no more pictures come.
    pub(super) fn end(&self, ended: Ended) {
        self.lock().ended = Some(ended);
        self.bell.notify_all();
    }

    /// Taker: waits at most `patience` for a picture.
    pub(super) fn wait(&self, patience: Duration) -> Waited {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        loop {
            if let Some(shot) = inner.waiting.take() {
                self.bell.notify_all();
                return Waited::Shot(shot);
            }
            if let Some(ended) = inner.ended.clone() {
                return Waited::Ended(ended);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waited::Idle;
            }
            inner = self
                .bell
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Taker: gives a picture's buffer back.
    pub(super) fn give_back(&self, shot: Shot) {
        self.lock().spare.push_back(shot.bytes);
    }

    /// Taker: takes no more.
    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
        self.bell.notify_all();
    }
}
