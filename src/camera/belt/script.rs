//! What happens on a belt, written down: stops, jogs, given items, hands in the
//! view, a camera that goes away. The default is a belt that runs at its
//! configured speed with random items. Times count from the belt's start.

use std::time::Duration;

use qrcode::EcLevel;

/// The course of events on a belt. Every method takes and returns the script.
#[derive(Clone, Debug, Default)]
pub struct BeltScript {
    pub(super) steps: Vec<Drive>,
    pub(super) items: Vec<ScriptedItem>,
    pub(super) covers: Vec<Cover>,
    pub(super) outages: Vec<Outage>,
    pub(super) ends: Option<Duration>,
    pub(super) look: Look,
}

/// A step of the belt's drive. `None` as a speed is the configured one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drive {
    pub from_m_s: Option<f32>,
    pub to_m_s: Option<f32>,
    pub lasts: Duration,
}

/// A hand over an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cover {
    pub item: u64,
    pub from: Duration,
    pub until: Duration,
}

/// A time without frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub from: Duration,
    pub until: Duration,
    /// The source reports that the camera has gone, instead of merely skipping.
    pub reported: bool,
}

/// What light and lens make of the scene. Grey levels are those before the
/// lens darkens the corners.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Grey level of label paper.
    pub paper: u8,
    /// Grey level of print.
    pub ink: u8,
    /// Standard deviation of the defocus, a Gaussian, in pixels. 0: sharp.
    pub defocus_px: f32,
    /// How much darker the picture's corners are than its centre, 0 to 1.
    pub vignetting: f32,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            paper: 214,
            ink: 34,
            defocus_px: 0.4,
            vignetting: 0.15,
        }
    }
}

/// An item that a script puts on the belt.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedItem {
    /// Where it lies behind the one before.
    pub place: Place,
    /// Its length along the belt, mm.
    pub length_mm: f32,
    /// Its width across the belt, mm.
    pub width_mm: f32,
    /// Where its centre lies across the picture: 0 top, 0.5 middle, 1 bottom.
    pub across: f32,
    /// Whether there is a cardboard box below its labels.
    pub boxed: bool,
    /// Its labels.
    pub labels: Vec<ScriptedLabel>,
}

/// How far an item lies behind the one before (the first one: behind the edge
/// of the picture at the belt's start).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// Empty belt between the two, mm.
    Gap(f32),
    /// From leading edge to leading edge, mm.
    Pitch(f32),
}

/// A label on a scripted item.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedLabel {
    /// What its code says.
    pub text: String,
    /// Error correction level: `L`, `M`, `Q` or `H`.
    pub level: char,
    /// Side of a module, mm.
    pub module_mm: f32,
    /// Centre of the code, from the item's centre, in mm downstream (with the
    /// belt) and across (down in the picture).
    pub at_mm: (f32, f32),
    /// Turned clockwise in the picture, degrees.
    pub turn_deg: f32,
}

impl ScriptedLabel {
    /// An upright label at the middle of its item, level M, modules of 1 mm.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            level: 'M',
            module_mm: 1.0,
            at_mm: (0.0, 0.0),
            turn_deg: 0.0,
        }
    }

    pub(super) fn ec_level(&self) -> EcLevel {
        match self.level {
            'L' => EcLevel::L,
            'Q' => EcLevel::Q,
            'H' => EcLevel::H,
            _ => EcLevel::M,
        }
    }
}

impl ScriptedItem {
    /// A box of 120 by 100 mm with one label, 100 mm of belt before it, in the
    /// middle of the picture.
    pub fn boxed(text: impl Into<String>) -> Self {
        Self {
            place: Place::Gap(100.0),
            length_mm: 120.0,
            width_mm: 100.0,
            across: 0.5,
            boxed: true,
            labels: vec![ScriptedLabel::new(text)],
        }
    }

    /// A bare label of `side_mm` (what is kept free of other items) with modules
    /// of `module_mm`, without a box.
    pub fn bare(text: impl Into<String>, side_mm: f32, module_mm: f32) -> Self {
        Self {
            place: Place::Gap(100.0),
            length_mm: side_mm,
            width_mm: side_mm,
            across: 0.5,
            boxed: false,
            labels: vec![ScriptedLabel {
                module_mm,
                ..ScriptedLabel::new(text)
            }],
        }
    }

    /// Empty belt between the item before and this one, mm.
    #[must_use]
    pub fn gap_mm(mut self, gap: f32) -> Self {
        self.place = Place::Gap(gap);
        self
    }

    /// From the leading edge of the item before to that of this one, mm.
    #[must_use]
    pub fn pitch_mm(mut self, pitch: f32) -> Self {
        self.place = Place::Pitch(pitch);
        self
    }

    /// Where its centre lies across the picture: 0 top, 1 bottom.
    #[must_use]
    pub fn across(mut self, across: f32) -> Self {
        self.across = across;
        self
    }

    /// One more label.
    #[must_use]
    pub fn label(mut self, label: ScriptedLabel) -> Self {
        self.labels.push(label);
        self
    }
}

impl BeltScript {
    /// A belt that runs at its configured speed with random items.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on at the configured speed for `lasts`. When the steps are used up
    /// the belt goes on at that speed for ever.
    #[must_use]
    pub fn run(self, lasts: Duration) -> Self {
        self.drive(None, None, lasts)
    }

    /// Stands for `lasts`; stops and starts dead.
    #[must_use]
    pub fn stop(self, lasts: Duration) -> Self {
        self.drive(Some(0.0), Some(0.0), lasts)
    }

    /// Runs at `speed` metres a second, backwards if negative, for `lasts`.
    #[must_use]
    pub fn at_speed(self, speed: f32, lasts: Duration) -> Self {
        self.drive(Some(speed), Some(speed), lasts)
    }

    /// Slows down evenly from the configured speed to a stand within `lasts`.
    #[must_use]
    pub fn brake(self, lasts: Duration) -> Self {
        self.drive(None, Some(0.0), lasts)
    }

    /// Speeds up evenly from a stand to the configured speed within `lasts`.
    #[must_use]
    pub fn start(self, lasts: Duration) -> Self {
        self.drive(Some(0.0), None, lasts)
    }

    fn drive(mut self, from_m_s: Option<f32>, to_m_s: Option<f32>, lasts: Duration) -> Self {
        self.steps.push(Drive {
            from_m_s,
            to_m_s,
            lasts,
        });
        self
    }

    /// Puts an item on the belt. A script with items has these alone.
    #[must_use]
    pub fn item(mut self, item: ScriptedItem) -> Self {
        self.items.push(item);
        self
    }

    /// Puts `count` bare labels with the same `text` on the belt, `pitch_mm`
    /// from one to the next, with modules of `module_mm`.
    #[must_use]
    pub fn equal_labels(mut self, text: &str, count: usize, pitch_mm: f32, module_mm: f32) -> Self {
        for i in 0..count {
            let item = ScriptedItem::bare(text, pitch_mm * 0.9, module_mm);
            self.items.push(if i == 0 {
                item
            } else {
                item.pitch_mm(pitch_mm)
            });
        }
        self
    }

    /// Lays a hand over item `item` (from 0) at `at` for `lasts`. It stays over
    /// the item if that moves.
    #[must_use]
    pub fn cover(mut self, item: u64, at: Duration, lasts: Duration) -> Self {
        self.covers.push(Cover {
            item,
            from: at,
            until: at + lasts,
        });
        self
    }

    /// No frame comes from `at` for `lasts`: a gap in the sequence, no fault.
    #[must_use]
    pub fn frames_missing(self, at: Duration, lasts: Duration) -> Self {
        self.outage(at, lasts, false)
    }

    /// The camera is gone from `at` for `lasts`: the source reports it lost.
    #[must_use]
    pub fn camera_lost(self, at: Duration, lasts: Duration) -> Self {
        self.outage(at, lasts, true)
    }

    fn outage(mut self, at: Duration, lasts: Duration, reported: bool) -> Self {
        self.outages.push(Outage {
            from: at,
            until: at + lasts,
            reported,
        });
        self
    }

    /// The source ends at `at`, whatever is still in view.
    #[must_use]
    pub fn end_at(mut self, at: Duration) -> Self {
        self.ends = Some(at);
        self
    }

    /// What light and lens make of the scene.
    #[must_use]
    pub fn look(mut self, look: Look) -> Self {
        self.look = look;
        self
    }
}
