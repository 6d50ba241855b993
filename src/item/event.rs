//! The event: what is said of one item, before it has a number.
//!
//! An event gets its `epoch`, `seq` and `id` in the outbox's transaction, never
//! before: see [`crate::publish`]. It is never changed afterwards.

use std::collections::BTreeMap;

use crate::geometry::{Point, Quad};

/// Which topic an event goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An item with at least one code.
    Read,
    /// A trigger window or a track without a read.
    NoRead,
}

/// What set the item off.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Free-running: the code itself.
    Free,
    /// A trigger window, opened by a command with this request id, if it had one.
    Window {
        /// The `request_id` of the command.
        request_id: Option<String>,
    },
}

/// GS1 element strings by application identifier, e.g. `"01" → "09506000134352"`.
pub type Gs1Elements = BTreeMap<String, String>;

/// One code of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct EventCode {
    /// The text; `None` if the payload is no text (then `bytes` has it).
    pub text: Option<String>,
    /// The payload, where it is no text.
    pub bytes: Option<Vec<u8>>,
    /// `qr`, `micro_qr`, `rmqr`.
    pub symbology: &'static str,
    /// AIM symbology identifier, as `]Q3`.
    pub aim: String,
    /// Version.
    pub version: u8,
    /// Error correction level: `L`, `M`, `Q`, `H`.
    pub level: &'static str,
    /// Corners where it was seen best, in pixels.
    pub corners: Quad,
    /// What it took to read it.
    pub method: &'static str,
    /// Print quality.
    pub quality: crate::qr::Quality,
    /// Structured append header.
    pub append: Option<crate::qr::StructuredAppend>,
    /// GS1 elements, from FNC1 codes and from GS1 Digital Link URIs.
    pub gs1: Option<Gs1Elements>,
}

/// How the item was followed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrackSummary {
    /// Frames in which it was seen.
    pub frames: u32,
    /// Frames in which it was read with this content.
    pub votes: u32,
    /// Velocity in the picture, pixels a second.
    pub velocity_px_s: Point,
    /// `CLOCK_MONOTONIC` of the first frame in which it was seen, ns.
    pub first_mono_ns: u64,
    /// The same of the last one so far.
    pub last_mono_ns: u64,
}

/// Whether the item fulfils the rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// True if every rule holds.
    pub pass: bool,
    /// Name of the first rule that does not.
    pub rule: Option<String>,
    /// Why, with the values.
    pub detail: Option<String>,
    /// Print and code that say different things.
    pub mismatch: Option<Mismatch>,
}

/// What is printed is not what the code says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The field of text.
    pub field: String,
    /// What it says.
    pub printed: String,
    /// The GS1 element that it was held against.
    pub ai: String,
    /// What that says; `None`: the codes have no such element.
    pub encoded: Option<String>,
}

/// Why nothing was read: `reason` is one of `no_finder`, `low_contrast`, `blur`,
/// `glare`, `damage`, `too_small`, `no_code`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One word for machines.
    pub reason: &'static str,
    /// A sentence for the operator.
    pub detail: String,
}

/// What a no-read says beside its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRead {
    /// Why.
    pub failure: Failure,
}

/// One item, decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Read or no-read.
    pub kind: EventKind,
    /// Middle of the exposure of the frame that shows it best: UTC, ns since the epoch.
    pub captured_wall_ns: i64,
    /// The same on `CLOCK_MONOTONIC`, ns.
    pub captured_mono_ns: u64,
    /// When it was decided: UTC, ns since the epoch.
    pub decided_wall_ns: i64,
    /// What set it off.
    pub trigger: Trigger,
    /// How it was followed.
    pub track: TrackSummary,
    /// Its codes, in reading order. Empty for a no-read.
    pub codes: Vec<EventCode>,
    /// Text that was read beside them, and what was not read.
    pub text: super::text::ItemText,
    /// Verdict of the rules; `None` if there are no rules.
    pub verdict: Option<Verdict>,
    /// For a no-read: why.
    pub noread: Option<NoRead>,
    /// File name of the saved picture, if one was saved.
    pub image: Option<String>,
    /// It may have been published already: before a restart, or before a time
    /// without frames after which the belt cannot be told to have stood or run.
    pub maybe_repeat: bool,
    /// Where the item was last, so that a restart can tell it from the next one:
    /// its corners in pixels at `last_mono_ns`.
    pub last_place: Option<LastPlace>,
}

/// Where an item was when it was decided; kept in the outbox for the restart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastPlace {
    /// Centre in pixels.
    pub centre: Point,
    /// Velocity in pixels a second.
    pub velocity: Point,
    /// UTC, ns since the epoch, of that sight.
    pub wall_ns: i64,
}

impl From<&crate::qr::Code> for EventCode {
    /// The code as events tell it, without its GS1 elements: those are parsed
    /// once, when the item is decided.
    fn from(code: &crate::qr::Code) -> Self {
        let content = &code.content;
        Self {
            text: content.is_text.then(|| content.text.clone()),
            bytes: (!content.is_text).then(|| content.bytes.clone()),
            symbology: code.symbology.name(),
            aim: format!("]Q{}", content.aim_modifier),
            version: code.version,
            level: code.level.name(),
            corners: code.corners,
            method: code.method.name(),
            quality: code.quality,
            append: content.append,
            gs1: None,
        }
    }
}
