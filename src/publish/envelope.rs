//! The bodies of `read` and `noread`: an [`Event`] that has its number, as JSON.
//!
//! A body is made once, in the outbox, and from then on it is bytes: what is
//! stored is what is sent, and what is sent again. Nothing in it depends on when
//! it is sent.

use serde::Serialize;

use crate::item::text::EventText;
use crate::item::{CodeView, Event, EventKind, Trigger};

/// What the outbox adds to an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<'a> {
    /// Name of the reader, the start of the id.
    pub reader: &'a str,
    /// Epoch of the queue that numbers it.
    pub epoch: &'a str,
    /// Its place in that epoch.
    pub seq: u64,
    /// Whether it is on disk before it is sent.
    pub durable: bool,
    /// Whether the wall clock was synchronised when it was numbered.
    pub clock_synced: bool,
}

impl Number<'_> {
    /// `<reader>-<epoch>-<seq>`.
    pub(super) fn id(&self) -> String {
        format!("{}-{}-{}", self.reader, self.epoch, self.seq)
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema: &'static str,
    id: String,
    epoch: &'a str,
    seq: u64,
    captured_at: String,
    captured_mono_ns: u64,
    decided_at: String,
    clock: &'static str,
    trigger: TriggerView<'a>,
    track: TrackView,
    codes: Vec<CodeView<'a>>,
    ocr: Vec<TextView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ocr_skipped: Vec<SkippedView<'a>>,
    verdict: Option<VerdictView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView<'a>>,
    image: Option<&'a str>,
    maybe_repeat: bool,
    durable: bool,
}

#[derive(Serialize)]
struct TriggerView<'a> {
    kind: &'static str,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct TrackView {
    frames: u32,
    votes: u32,
    velocity_px_s: [f64; 2],
}

#[derive(Serialize)]
struct VerdictView<'a> {
    pass: bool,
    rule: Option<&'a str>,
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mismatch: Option<MismatchView<'a>>,
}

#[derive(Serialize)]
struct MismatchView<'a> {
    field: &'a str,
    printed: &'a str,
    ai: &'a str,
    encoded: Option<&'a str>,
}

#[derive(Serialize)]
struct TextView<'a> {
    name: &'a str,
    text: &'a str,
    conf: f64,
    #[serde(rename = "box")]
    corners: [[f64; 2]; 4],
}

#[derive(Serialize)]
struct SkippedView<'a> {
    name: &'a str,
    reason: &'static str,
}

impl<'a> From<&'a EventText> for TextView<'a> {
    fn from(text: &'a EventText) -> Self {
        let confidence = f64::from(text.confidence);
        Self {
            name: &text.name,
            text: &text.text,
            conf: (confidence.clamp(0.0, 1.0) * 1000.0).round() / 1000.0,
            corners: text.corners.0.map(crate::item::view_point),
        }
    }
}

#[derive(Serialize)]
struct FailureView<'a> {
    reason: &'static str,
    detail: &'a str,
}

/// The body of `event`. It ends without a line feed.
pub(super) fn body(event: &Event, number: &Number) -> Vec<u8> {
    let envelope = Envelope {
        schema: match event.kind {
            EventKind::Read => "beltscan/read/1",
            EventKind::NoRead => "beltscan/noread/1",
        },
        id: number.id(),
        epoch: number.epoch,
        seq: number.seq,
        captured_at: rfc3339(event.captured_wall_ns),
        captured_mono_ns: event.captured_mono_ns,
        decided_at: rfc3339(event.decided_wall_ns),
        clock: if number.clock_synced {
            "synced"
        } else {
            "unsynced"
        },
        trigger: match &event.trigger {
            Trigger::Free => TriggerView {
                kind: "free",
                request_id: None,
            },
            Trigger::Window { request_id } => TriggerView {
                kind: "window",
                request_id: request_id.as_deref(),
            },
        },
        track: TrackView {
            frames: event.track.frames,
            votes: event.track.votes,
            velocity_px_s: crate::item::view_point(event.track.velocity_px_s),
        },
        codes: event.codes.iter().map(CodeView::from).collect(),
        ocr: event.text.texts.iter().map(TextView::from).collect(),
        ocr_skipped: event
            .text
            .skipped
            .iter()
            .map(|skipped| SkippedView {
                name: &skipped.name,
                reason: skipped.reason.name(),
            })
            .collect(),
        verdict: event.verdict.as_ref().map(|verdict| VerdictView {
            pass: verdict.pass,
            rule: verdict.rule.as_deref(),
            detail: verdict.detail.as_deref(),
            mismatch: verdict.mismatch.as_ref().map(|mismatch| MismatchView {
                field: &mismatch.field,
                printed: &mismatch.printed,
                ai: &mismatch.ai,
                encoded: mismatch.encoded.as_deref(),
            }),
        }),
        failure: event.noread.as_ref().map(|noread| FailureView {
            reason: noread.failure.reason,
            detail: &noread.failure.detail,
        }),
        image: event.image.as_deref(),
        maybe_repeat: event.maybe_repeat,
        durable: number.durable,
    };
    json(&envelope)
}

/// Serialises plain data of ours: structs, strings and finite numbers, for which
/// serde_json has no error.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| {
        log::error!("a message cannot be written as JSON: {error}");
        b"{}".to_vec()
    })
}

/// UTC with milliseconds, as `2026-03-01T12:00:00.000Z`. A time outside the years
/// that RFC 3339 can write becomes the epoch.
pub(super) fn rfc3339(wall_ns: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(wall_ns))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

/// The wall clock now, ns since the Unix epoch.
pub(super) fn wall_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            rfc3339(1_774_000_000_123_999_999),
            "2026-03-20T09:46:40.123Z"
        );
        assert_eq!(rfc3339(i64::MAX), "2262-04-11T23:47:16.854Z");
    }
}
