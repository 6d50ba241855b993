//! What waits to be said beside the events, and who rings for it: the state, the
//! newest figures, alerts and replies. Anybody may lay something on the desk
//! without waiting; the MQTT thread takes it from there. Without a broker it only
//! reaches the log.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::envelope::wall_ns;
use super::notice::{self, Alert, Identity, Severity, State};

/// Alerts and replies that wait for a connection; beyond it the oldest go.
const WAITING: usize = 256;

/// An alert or a reply, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// `alert` or `ack`.
    pub leaf: &'static str,
    pub body: Vec<u8>,
}

/// See the module.
pub(super) struct Desk {
    papers: Mutex<Papers>,
    /// Rung whenever something was laid down.
    pub bell: tokio::sync::Notify,
}

struct Papers {
    identity: Identity,
    /// What the service says is wrong, one word each.
    health: BTreeSet<&'static str>,
    /// What the publisher itself knows to be wrong.
    own: BTreeSet<&'static str>,
    stats: Option<Vec<u8>>,
    notices: VecDeque<Notice>,
    stop_by: Option<Instant>,
}

impl Desk {
    pub(super) fn new(identity: Identity) -> Self {
        Desk {
            papers: Mutex::new(Papers {
                identity,
                health: BTreeSet::new(),
                own: BTreeSet::new(),
                stats: None,
                notices: VecDeque::new(),
                stop_by: None,
            }),
            bell: tokio::sync::Notify::new(),
        }
    }

    /// What the service says is wrong, in the place of what it said before.
    pub(super) fn set_health(&self, reasons: &[&'static str]) {
        let reasons = reasons
            .iter()
            .copied()
            // Whoever reads the message knows better.
            .filter(|&reason| reason != "broker")
            .collect();
        let mut papers = self.papers();
        if papers.health != reasons {
            papers.health = reasons;
            drop(papers);
            self.bell.notify_one();
        }
    }

    /// A reason of the publisher's own to be degraded. True if it is news.
    pub(super) fn set_reason(&self, reason: &'static str) -> bool {
        let news = self.papers().own.insert(reason);
        if news {
            self.bell.notify_one();
        }
        news
    }

    /// `reason` is gone.
    pub(super) fn clear_reason(&self, reason: &'static str) {
        if self.papers().own.remove(reason) {
            self.bell.notify_one();
        }
    }

    /// Another configuration is in force.
    pub(super) fn set_config_hash(&self, hash: String) {
        self.papers().identity.config_hash = hash;
        self.bell.notify_one();
    }

    /// The body of `status` as things are now, with every reason once.
    pub(super) fn status(&self) -> Vec<u8> {
        let papers = self.papers();
        let state = match papers.stop_by {
            None => State::Running,
            Some(_) => State::Stopping,
        };
        let reasons: Vec<&str> = papers.own.union(&papers.health).copied().collect();
        notice::status(state, &reasons, &papers.identity)
    }

    /// The body of `status` for a reader that is no more.
    pub(super) fn last_status(&self, state: State) -> Vec<u8> {
        notice::status(state, &[], &self.papers().identity)
    }

    /// Lays the newest figures down in the place of older ones.
    pub(super) fn set_stats(&self, body: Vec<u8>) {
        self.papers().stats = Some(body);
        self.bell.notify_one();
    }

    pub(super) fn take_stats(&self) -> Option<Vec<u8>> {
        self.papers().stats.take()
    }

    /// Logs `alert` and lays it down.
    pub(super) fn alert(&self, alert: Alert) {
        let level = match alert.severity {
            Severity::Info => log::Level::Info,
            Severity::Warning => log::Level::Warn,
            Severity::Error => log::Level::Error,
        };
        log::log!(level, "{}: {}", alert.kind, alert.detail);
        self.put(Notice {
            leaf: "alert",
            body: notice::alert(&alert, wall_ns()),
        });
    }

    /// Lays `notice` down behind the others.
    pub(super) fn put(&self, notice: Notice) {
        let mut papers = self.papers();
        if papers.notices.len() == WAITING {
            papers.notices.pop_front();
            log::warn!(
                "more than {WAITING} alerts and replies wait for the broker: the oldest goes"
            );
        }
        papers.notices.push_back(notice);
        drop(papers);
        self.bell.notify_one();
    }

    /// Puts back what was sent and not acknowledged, in front of the others.
    pub(super) fn put_back(&self, notice: Notice) {
        let mut papers = self.papers();
        if papers.notices.len() < WAITING {
            papers.notices.push_front(notice);
        }
    }

    pub(super) fn take_notice(&self) -> Option<Notice> {
        self.papers().notices.pop_front()
    }

    /// Whether alerts or replies wait.
    pub(super) fn has_notices(&self) -> bool {
        !self.papers().notices.is_empty()
    }

    /// Asks the MQTT thread to drain and end, by `deadline` at the latest.
    pub(super) fn stop(&self, deadline: Instant) {
        self.papers().stop_by = Some(deadline);
        self.bell.notify_one();
    }

    /// When to end, if it was asked for.
    pub(super) fn stop_by(&self) -> Option<Instant> {
        self.papers().stop_by
    }

    fn papers(&self) -> MutexGuard<'_, Papers> {
        // What lies here is whole between any two statements.
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
