//! `[item]`, `[[rule]]`, `[noread]`: what an item is, what is asked of it, and
//! what becomes of those that were not read.

mod resolve;

pub(super) use resolve::whole;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Look;

/// `[item]` as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Item {
    /// Codes that move rigidly together within this distance are one item, in
    /// mm (needs `belt.px-per-mm`). 0: every code is an item of its own.
    pub group_mm: f32,
    /// The same in pixels, where the scale is unknown.
    pub group_px: f32,
    /// The same text at its predicted place within this time is the same item, in ms.
    pub lost_ms: u32,
    /// When it is decided.
    pub decide: Decide,
    /// Frames that must agree before an item is confirmed.
    pub confirm_frames: u32,
    /// Add up frames of a code that no single frame tells.
    pub fusion: bool,
    /// `decide = "line"`: place of the line, as a share of the way through the
    /// picture along the belt's direction, 0 to 1.
    pub line: f32,
    /// Free-running, or in windows that a trigger opens.
    pub trigger: TriggerMode,
    /// Length of a trigger window in ms.
    pub window_ms: u32,
}

/// When an item is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decide {
    /// As soon as enough frames agree.
    #[default]
    Confirmed,
    /// When its centre passes a line in the picture.
    Line,
    /// When it has left the picture.
    Leave,
}

/// What makes an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerMode {
    /// Codes make items.
    #[default]
    Free,
    /// A window opened by a command makes an item.
    Window,
}

impl Default for Item {
    fn default() -> Self {
        Self {
            group_mm: 0.0,
            group_px: 0.0,
            lost_ms: 3000,
            decide: Decide::Confirmed,
            confirm_frames: 2,
            fusion: true,
            line: 0.5,
            trigger: TriggerMode::Free,
            window_ms: 500,
        }
    }
}

/// `[item]` resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemPlan {
    /// Grouping distance in pixels; 0: every code is an item of its own.
    pub group_px: f32,
    /// How long a track may be out of sight.
    pub lost: Duration,
    /// When an item is decided.
    pub decide: Decide,
    /// Frames that must agree, at least 1.
    pub confirm_frames: u32,
    /// Add up frames of a code that no single frame tells.
    pub fusion: bool,
    /// What is looked for in frames added up: as in single ones.
    pub look: Look,
    /// Place of the line, 0 to 1.
    pub line: f32,
    /// What makes an item.
    pub trigger: TriggerMode,
    /// Length of a trigger window.
    pub window: Duration,
    /// Belt velocity in the picture in pixels a second, where known.
    pub belt_px_s: Option<(f32, f32)>,
    /// Direction of travel in radians (0 right, pi/2 down), where known.
    pub direction_rad: Option<f32>,
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
}

/// `[[rule]]` as written. A rule holds for an item if at least one of its codes
/// fulfils every condition given; an item passes if every rule holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// Its name, as events tell it.
    pub name: String,
    /// A regular expression that the whole text must match.
    pub regex: Option<String>,
    /// What the text must start with.
    pub prefix: Option<String>,
    /// Exact length in characters.
    pub length: Option<usize>,
    /// GS1: element strings valid, check digits right.
    pub gs1: bool,
    /// File with the texts that may come, one a line.
    pub expected_file: Option<PathBuf>,
    /// The texts that may come.
    pub expected: Vec<String>,
    /// It asks of the text of this field, not of the codes.
    pub field: Option<String>,
    /// The field equals this GS1 element of the codes.
    pub equals_ai: Option<String>,
    /// What becomes of an item on which the field was not read.
    pub if_missing: IfMissing,
}

/// Whether a rule holds where its field was not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IfMissing {
    /// It does not.
    #[default]
    Fail,
    /// It does.
    Pass,
}

/// A set of texts that may come.
pub type Expected = std::collections::HashSet<String>;

/// A rule resolved.
#[derive(Clone, Debug)]
pub struct RulePlan {
    /// Its name.
    pub name: String,
    /// Whole-text expression.
    pub regex: Option<regex::Regex>,
    /// Start.
    pub prefix: Option<String>,
    /// Length in characters.
    pub length: Option<usize>,
    /// GS1 validity.
    pub gs1: bool,
    /// The set, if there is one.
    pub expected: Option<Expected>,
    /// It asks of this field of text; `None`: of the codes.
    pub field: Option<FieldRule>,
}

/// What a rule asks of a field of text, beside the conditions for any text.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRule {
    /// The field's name.
    pub name: String,
    /// GS1 application identifier of the element that it equals.
    pub equals_ai: Option<String>,
    /// How its date is spelt; `None`: any of the usual ways.
    pub date: Option<super::DateFormat>,
    /// What becomes of an item on which it was not read.
    pub if_missing: IfMissing,
}

impl PartialEq for RulePlan {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.regex.as_ref().map(|r| r.as_str()) == other.regex.as_ref().map(|r| r.as_str())
            && self.prefix == other.prefix
            && self.length == other.length
            && self.gs1 == other.gs1
            && self.expected == other.expected
            && self.field == other.field
    }
}

/// `[noread]` as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NoReads {
    /// Publish no-reads.
    pub publish: bool,
    /// Save a picture of each.
    pub save: bool,
    /// Folder for the pictures; absent: `noread` in the state directory.
    pub dir: Option<PathBuf>,
    /// Most pictures kept.
    pub max_files: u32,
    /// Most megabytes kept.
    pub max_mb: u32,
    /// Oldest kept, in hours.
    pub max_age_h: u32,
}

impl Default for NoReads {
    fn default() -> Self {
        Self {
            publish: true,
            save: false,
            dir: None,
            max_files: 500,
            max_mb: 200,
            max_age_h: 168,
        }
    }
}

/// `[noread]` resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct NoReadsPlan {
    /// Publish them.
    pub publish: bool,
    /// Folder for pictures; `None`: no pictures.
    pub dir: Option<PathBuf>,
    /// Most pictures kept.
    pub max_files: u32,
    /// Most bytes kept.
    pub max_bytes: u64,
    /// Oldest kept.
    pub max_age: Duration,
}
