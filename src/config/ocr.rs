//! `[ocr]` and `[[ocr.field]]`: which text is read beside the codes, where it
//! stands, and how long an event waits for it.

mod date;
mod resolve;

pub(crate) use date::MONTHS;
pub use date::{DateFormat, DatePart};
pub(super) use resolve::is_ai;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ocr::Wanted;

/// `[ocr]` as written. Without fields no text is read and no model is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ocr {
    /// Longest that an event waits for text that a rule needs, in ms.
    pub wait_ms: u32,
    /// Folder with models; absent: those built in.
    pub models: Option<PathBuf>,
    /// Folder with models that read while those above fail.
    pub fallback_models: Option<PathBuf>,
    /// Folder with models on trial.
    pub canary_models: Option<PathBuf>,
    /// Share of the lines that they read too.
    pub canary_share: f32,
    /// Most lines that wait to be read.
    pub queue: usize,
    /// Most cut lines kept, those that wait included.
    pub strips: usize,
    /// A line that takes longer counts as a failure of the models, in ms.
    pub timeout_ms: u32,
    /// Confidence from which on a line is not read again.
    pub sure: f32,
    /// What is to be read, in order.
    pub field: Vec<OcrField>,
}

impl Default for Ocr {
    fn default() -> Self {
        Self {
            wait_ms: 150,
            models: None,
            fallback_models: None,
            canary_models: None,
            canary_share: 0.1,
            queue: 32,
            strips: 64,
            timeout_ms: 2000,
            sure: 0.9,
            field: Vec::new(),
        }
    }
}

/// `[[ocr.field]]` as written: one line of text on every item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct OcrField {
    /// Its name, as events and rules tell it.
    pub name: String,
    /// How it is found.
    pub find: Find,
    /// Where it stands: left, top, width, height.
    #[serde(rename = "box")]
    pub place: Option<[f32; 4]>,
    /// Direction in which it reads inside its box, in degrees clockwise.
    pub turn_deg: u32,
    /// `find = "code"`: only codes whose text starts so.
    pub code_prefix: Option<String>,
    /// `find = "code"`: only codes whose whole text matches.
    pub code_regex: Option<String>,
    /// `find = "code"`: only codes with this GS1 application identifier.
    pub code_ai: Option<String>,
    /// Which characters may stand there.
    pub characters: Characters,
    /// What is printed before the value, and is no part of it.
    pub prefix: Option<String>,
    /// Expression that the whole value matches.
    pub pattern: Option<String>,
    /// Spelling of the date that the value is.
    pub date: Option<String>,
}

/// How a field is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Find {
    /// Its box is in modules of a code.
    #[default]
    Code,
    /// Its box is in pixels of the picture.
    Region,
    /// Somewhere in its box in the picture, or anywhere in it.
    Search,
}

/// Which characters a field has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Characters {
    /// 0 to 9.
    Digits,
    /// What a keyboard has.
    #[default]
    Ascii,
    /// All that the models know.
    Full,
}

/// `[ocr]` resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct OcrPlan {
    /// Longest that an event waits for text that a rule needs.
    pub wait: Duration,
    /// Folder with models; `None`: those built in.
    pub models: Option<PathBuf>,
    /// Folder with models that read while those fail.
    pub fallback: Option<PathBuf>,
    /// Folder with models on trial, and the share of lines that they read too.
    pub canary: Option<(PathBuf, f32)>,
    /// Most lines that wait to be read, at least 1.
    pub queue: usize,
    /// Most cut lines kept, at least 1.
    pub strips: usize,
    /// Longest that a line may take.
    pub timeout: Duration,
    /// Confidence from which on a line is not read again, 0 to 1.
    pub sure: f32,
    /// What is to be read; empty: nothing.
    pub fields: Vec<FieldPlan>,
}

impl OcrPlan {
    /// Is a field searched for, which takes the network that finds lines?
    pub fn searches(&self) -> bool {
        let searches = |field: &FieldPlan| matches!(field.place, FieldPlace::Search(_));
        self.fields.iter().any(searches)
    }

    /// No text at all.
    pub fn none() -> Self {
        Self {
            wait: Duration::ZERO,
            models: None,
            fallback: None,
            canary: None,
            queue: 1,
            strips: 1,
            timeout: Duration::from_secs(2),
            sure: 1.0,
            fields: Vec::new(),
        }
    }
}

/// A field resolved.
#[derive(Clone, Debug)]
pub struct FieldPlan {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: FieldPlace,
    /// Quarter turns clockwise in which it reads inside its box, 0 to 3.
    pub turns: usize,
    /// What the reader is told of it, its prefix included.
    pub wanted: Arc<Wanted>,
    /// What is printed before the value.
    pub prefix: Option<String>,
    /// How its date is spelt; `None`: any of the usual ways, if a rule needs one.
    pub date: Option<DateFormat>,
    /// As it was written, which says whether two are the same.
    pub(super) written: OcrField,
}

impl PartialEq for FieldPlan {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

/// Where a field is.
#[derive(Clone, Debug)]
pub enum FieldPlace {
    /// Beside a code.
    Code {
        /// Left, top, width and height in modules of the code, from its upper left
        /// corner, x right and y down as it is printed upright.
        modules: [f32; 4],
        /// Beside which one.
        which: CodeAnchor,
    },
    /// At a fixed place of the picture: left, top, width, height in pixels.
    Region([f32; 4]),
    /// Somewhere in this part of the picture, or anywhere.
    Search(Option<[f32; 4]>),
}

/// Which codes a field stands beside: those that fulfil all that is given.
#[derive(Clone, Debug, Default)]
pub struct CodeAnchor {
    /// Start of the text.
    pub prefix: Option<String>,
    /// Whole-text expression.
    pub regex: Option<regex::Regex>,
    /// GS1 application identifier that it has.
    pub ai: Option<String>,
}
