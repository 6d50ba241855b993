//! What is told of a file: a JSON line, or text for people.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::frame::Luma;
use crate::geometry::Quad;
use crate::item::text::EventText;
use crate::item::{CodeView, Event, EventCode};
use crate::ocr;
use crate::qr::{Code, Reason};

/// What is told of a picture that the reader cannot cope with.
pub(super) const PANICKED: &str = "the reader failed on this picture, which is a fault of \
                                   beltscan's: please report it with the picture";

/// JSON lines, or text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// One object a line.
    Json,
    /// A line for the file and one for each code and each text.
    Text,
}

/// What is to be printed of one file.
pub(super) struct Told {
    /// Whole lines.
    pub(super) text: String,
    /// Whether the file could be opened and all was well.
    pub(super) opened: bool,
}

/// Why nothing was read.
#[derive(Serialize)]
pub(super) struct Failure {
    reason: &'static str,
    detail: Cow<'static, str>,
}

/// What was found in a file.
pub(super) struct Found<'a> {
    /// Its name.
    pub(super) file: &'a str,
    /// Width and height in pixels.
    pub(super) size: (usize, usize),
    /// Of a video: its frames.
    pub(super) frames: Option<u64>,
    /// From luma plane to codes, all frames together.
    pub(super) took: Duration,
    /// What the text took beyond that; `None` if none was asked for.
    pub(super) text_took: Option<Duration>,
    /// The codes.
    pub(super) codes: Vec<&'a Code>,
    /// The lines of text.
    pub(super) lines: &'a [ocr::Line],
    /// Why there are none.
    pub(super) failure: Option<Failure>,
}

/// The line of `--jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    width: Option<usize>,
    height: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<u64>,
    /// What the codes took …
    ms: Option<f64>,
    /// … and what the text took beyond that.
    #[serde(skip_serializing_if = "Option::is_none")]
    ocr_ms: Option<f64>,
    codes: Vec<CodeView<'a>>,
    /// Texts beside the codes.
    ocr: Vec<TextView<'a>>,
    failure: Option<Failure>,
}

/// A line of text in `--jsonl`.
#[derive(Serialize)]
struct TextView<'a> {
    text: &'a str,
    conf: f64,
    /// From the text's own top left, clockwise as it is read.
    r#box: [[f64; 2]; 4],
}

impl<'a> TextView<'a> {
    fn new(text: &'a str, confidence: f32, corners: &Quad) -> Self {
        let round = |value: f32, to: f64| (f64::from(value) * to).round() / to;
        Self {
            text,
            conf: round(confidence, 1e3),
            r#box: corners.0.map(|p| [round(p.x, 10.0), round(p.y, 10.0)]),
        }
    }
}

impl<'a> From<&'a ocr::Line> for TextView<'a> {
    fn from(line: &'a ocr::Line) -> Self {
        Self::new(&line.text, line.confidence, &line.corners)
    }
}

impl<'a> From<&'a EventText> for FieldView<'a> {
    fn from(text: &'a EventText) -> Self {
        Self {
            name: &text.name,
            text: TextView::new(&text.text, text.confidence, &text.corners),
        }
    }
}

/// A field of an item in `--sequence --jsonl`, as events have it.
#[derive(Serialize)]
struct FieldView<'a> {
    name: &'a str,
    #[serde(flatten)]
    text: TextView<'a>,
}

/// The line of `--sequence --jsonl`.
#[derive(Serialize)]
struct ItemLine<'a> {
    first: &'a str,
    last: &'a str,
    frames: u32,
    codes: Vec<CodeView<'a>>,
    ocr: Vec<FieldView<'a>>,
    failure: Option<Failure>,
}

impl Failure {
    /// For a picture in which `unread` symbols were located and none was read.
    pub(super) fn of(reason: Reason, unread: usize) -> Self {
        let detail = match reason {
            Reason::NoFinder => "no finder pattern stands out",
            Reason::LowContrast => "too little contrast: more light, or darker print",
            Reason::Blur => "blurred: a shorter exposure, or a sharper focus",
            Reason::Glare => "modules are saturated: less light, or from another angle",
            Reason::Damage => "more modules are wrong than error correction can mend",
            Reason::TooSmall => "modules are too small: a larger code, or more pixels",
        };
        let detail = match unread {
            0 => Cow::Borrowed(detail),
            1 => Cow::Owned(format!("1 code located, not read: {detail}")),
            _ => Cow::Owned(format!("{unread} codes located, none read: {detail}")),
        };
        Self {
            reason: reason.name(),
            detail,
        }
    }
}

impl Style {
    /// Tells what was found.
    pub(super) fn read(self, found: Found<'_>) -> Told {
        let text = match self {
            Style::Json => json(&Line {
                file: found.file,
                width: Some(found.size.0),
                height: Some(found.size.1),
                frames: found.frames,
                ms: Some(milliseconds(found.took)),
                ocr_ms: found.text_took.map(milliseconds),
                codes: found.codes.iter().map(|&code| code.into()).collect(),
                ocr: found.lines.iter().map(TextView::from).collect(),
                failure: found.failure,
            }),
            Style::Text => people(&found),
        };
        Told { text, opened: true }
    }

    /// Tells of an item that was seen from the frame `first` to the frame `last`.
    pub(super) fn item(self, first: &str, last: &str, event: &Event) -> String {
        let failure = event.noread.as_ref().map(|noread| Failure {
            reason: noread.failure.reason,
            detail: noread.failure.detail.clone().into(),
        });
        let frames = event.track.frames;
        match self {
            Style::Json => json(&ItemLine {
                first,
                last,
                frames,
                codes: event.codes.iter().map(CodeView::from).collect(),
                ocr: event.text.texts.iter().map(FieldView::from).collect(),
                failure,
            }),
            Style::Text => {
                let fields = event.text.texts.iter();
                let fields = fields.map(|text| format!("{} {:?}", text.name, text.text));
                let codes = event.codes.iter().map(event_payload);
                let texts: Vec<String> = codes.chain(fields).collect();
                let what = match failure {
                    Some(failure) => format!("not read: {}: {}", failure.reason, failure.detail),
                    None => texts.join(", "),
                };
                format!("{first} to {last} ({frames} frames): {what}\n")
            }
        }
    }

    /// Tells why the file is no picture.
    pub(super) fn unopened(self, file: &str, reason: &'static str, detail: String) -> Told {
        let text = match self {
            Style::Json => json(&Line {
                file,
                width: None,
                height: None,
                frames: None,
                ms: None,
                ocr_ms: None,
                codes: Vec::new(),
                ocr: Vec::new(),
                failure: Some(Failure {
                    reason,
                    detail: detail.into(),
                }),
            }),
            Style::Text => format!("{file}: {detail}\n"),
        };
        Told {
            text,
            opened: false,
        }
    }

    /// Tells of a picture that the reader cannot cope with.
    pub(super) fn panicked(self, file: &str, luma: Luma<'_>) -> Told {
        let told = self.read(Found {
            file,
            size: (luma.width(), luma.height()),
            frames: None,
            took: Duration::ZERO,
            text_took: None,
            codes: Vec::new(),
            lines: &[],
            failure: Some(Failure {
                reason: Reason::Damage.name(),
                detail: PANICKED.into(),
            }),
        });
        Told {
            opened: false,
            ..told
        }
    }
}

fn json(line: &impl Serialize) -> String {
    // Plain data: nothing in it can fail to be written.
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text
}

/// To a thousandth.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn people(found: &Found<'_>) -> String {
    let ms = milliseconds(found.took);
    let (width, height) = found.size;
    let frames = found
        .frames
        .map_or(String::new(), |count| format!("{count} frames, "));
    let mut told = format!("{} ({frames}{width}x{height}, {ms:.1} ms): ", found.file);
    // Writing to a String cannot fail.
    let _ = match (&found.failure, found.codes.len()) {
        (Some(failure), _) => {
            writeln!(told, "nothing read: {}: {}", failure.reason, failure.detail)
        }
        (None, 1) => writeln!(told, "1 code"),
        (None, count) => writeln!(told, "{count} codes"),
    };
    for (index, code) in found.codes.iter().enumerate() {
        let centre = code.corners.centre();
        let _ = writeln!(
            told,
            "  {} {} {}-{} at {:.0},{:.0}: {}",
            index + 1,
            code.symbology.name(),
            code.version,
            code.level.name(),
            centre.x,
            centre.y,
            payload(code)
        );
    }
    for line in found.lines {
        let centre = line.corners.centre();
        let sure = line.confidence * 100.0;
        let text = &line.text;
        let _ = writeln!(
            told,
            "  text at {:.0},{:.0}, {sure:.0} % sure: {text:?}",
            centre.x, centre.y
        );
    }
    told
}

fn payload(code: &Code) -> String {
    let content = &code.content;
    quoted(
        content.is_text.then_some(&*content.text),
        content.bytes.len(),
    )
}

fn event_payload(code: &EventCode) -> String {
    quoted(
        code.text.as_deref(),
        code.bytes.as_ref().map_or(0, Vec::len),
    )
}

/// The text, quoted so that control characters cannot play with the terminal.
fn quoted(text: Option<&str>, bytes: usize) -> String {
    match text {
        Some(text) => format!("{text:?}"),
        None => format!("{bytes} bytes that are no text"),
    }
}
