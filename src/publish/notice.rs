//! What the reader says beside its events: `status`, `stats`, `alert`, `gap`,
//! `ack`. One shape each; the schemas lie in `config/schema/`.

use serde::Serialize;

use super::envelope::{json, rfc3339};

/// The state in a `status` message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// `online`, or `degraded` if there are reasons.
    Running,
    /// SIGTERM came; the outbox drains.
    Stopping,
    /// The last word of a reader that ended in order.
    Stopped,
    /// The broker's word for a reader that vanished: the will.
    Offline,
}

/// What stays the same in every `status` message, but for a reload.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub boot_id: String,
    pub config_hash: String,
    /// What an operator should know of the machine.
    pub notes: Vec<String>,
}

/// Body of `status`.
pub(super) fn status(state: State, reasons: &[&str], identity: &Identity) -> Vec<u8> {
    #[derive(Serialize)]
    struct Status<'a> {
        schema: &'static str,
        status: &'static str,
        reasons: &'a [&'a str],
        boot_id: &'a str,
        version: &'static str,
        config_hash: &'a str,
        notes: &'a [String],
    }
    json(&Status {
        schema: "beltscan/status/1",
        status: match state {
            State::Running if reasons.is_empty() => "online",
            State::Running => "degraded",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
            State::Offline => "offline",
        },
        reasons,
        boot_id: &identity.boot_id,
        version: env!("CARGO_PKG_VERSION"),
        config_hash: &identity.config_hash,
        notes: &identity.notes,
    })
}

/// Body of `stats`: the fields of `figures` behind the schema's name.
pub(super) fn stats(figures: &impl Serialize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Stats<'a, T> {
        schema: &'static str,
        #[serde(flatten)]
        figures: &'a T,
    }
    json(&Stats {
        schema: "beltscan/stats/1",
        figures,
    })
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good news, as a cause that is gone.
    Info,
    /// Something needs a look, events go on.
    Warning,
    /// Events are lost or delayed until it is cured.
    Error,
}

/// Something an operator must hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// One word for machines, as `outbox_full` or `camera_lost`.
    pub kind: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// A sentence with the cause and the cure.
    pub detail: String,
    /// How many events or frames it concerns, where that can be counted.
    pub count: Option<u64>,
}

/// Body of `alert`, for something that happened at `wall_ns`.
pub(super) fn alert(alert: &Alert, wall_ns: i64) -> Vec<u8> {
    #[derive(Serialize)]
    struct View<'a> {
        schema: &'static str,
        kind: &'static str,
        severity: Severity,
        detail: &'a str,
        count: Option<u64>,
        at: String,
    }
    json(&View {
        schema: "beltscan/alert/1",
        kind: alert.kind,
        severity: alert.severity,
        detail: &alert.detail,
        count: alert.count,
        at: rfc3339(wall_ns),
    })
}

/// Events `from` to `to` of `epoch` were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub epoch: String,
    pub from: u64,
    pub to: u64,
    /// `full`, `age` or `memory_full`.
    pub reason: String,
}

/// Body of `gap`, noted at `wall_ns` by `reader`. Its id names what it covers, so
/// that the same note has the same id.
pub(super) fn gap(gap: &Gap, reader: &str, wall_ns: i64) -> Vec<u8> {
    #[derive(Serialize)]
    struct View<'a> {
        schema: &'static str,
        id: String,
        epoch: &'a str,
        from: u64,
        to: u64,
        reason: &'a str,
        at: String,
    }
    json(&View {
        schema: "beltscan/gap/1",
        id: format!("{reader}-{}-gap-{}-{}", gap.epoch, gap.from, gap.to),
        epoch: &gap.epoch,
        from: gap.from,
        to: gap.to,
        reason: &gap.reason,
        at: rfc3339(wall_ns),
    })
}

/// Body of `ack`: what came of a command. `request_id` is `None` where the
/// command had none that could be read.
pub(super) fn ack(request_id: Option<&str>, verb: &str, ok: bool, detail: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct View<'a> {
        schema: &'static str,
        request_id: Option<&'a str>,
        verb: &'a str,
        ok: bool,
        detail: &'a str,
    }
    json(&View {
        schema: "beltscan/ack/1",
        request_id,
        verb,
        ok,
        detail,
    })
}
