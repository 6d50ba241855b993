//! A code that was read, and what is known of it.

use crate::geometry::{Point, Quad};

/// Which symbology (ISO/IEC 18004 for `Qr` and `MicroQr`, ISO/IEC 23941 for `RmQr`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Symbology {
    /// QR code, versions 1 to 40.
    #[default]
    Qr,
    /// Micro QR code, M1 to M4.
    MicroQr,
    /// Rectangular micro QR code.
    RmQr,
}

/// Error correction level (ISO/IEC 18004, 6.5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EcLevel {
    /// About 7 % of codewords.
    L,
    /// About 15 %.
    #[default]
    M,
    /// About 25 %.
    Q,
    /// About 30 %.
    H,
}

/// What it took to read the code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// One frame, as it was.
    #[default]
    Plain,
    /// After motion blur or defocus was taken out.
    Deblur,
    /// Some modules were erasures.
    Erasure,
    /// Several frames added up.
    Fused,
}

/// FNC1 in first position (GS1) or second (an AIM application indicator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fnc1 {
    /// First position: GS1 element strings (ISO/IEC 18004, 7.4.8.2).
    Gs1,
    /// Second position, with the application indicator as transmitted: a digit
    /// pair 00–99, or a letter's code plus 100.
    Industry(u8),
}

/// Header of a structured append symbol (ISO/IEC 18004, 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructuredAppend {
    /// Place of this symbol in the sequence, from 0.
    pub index: u8,
    /// Symbols in the sequence, 1 to 16.
    pub total: u8,
    /// Exclusive or of all bytes of the whole message.
    pub parity: u8,
}

/// What a symbol says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The data bytes as encoded, before any character set is applied. FNC1 is
    /// U+001D where it stands as separator.
    pub bytes: Vec<u8>,
    /// The bytes as text, by the character sets that the symbol declares or,
    /// where it declares none, as UTF-8, Shift JIS or ISO 8859-1, whichever fits.
    /// Empty if `is_text` is false.
    pub text: String,
    /// Whether the bytes are text at all.
    pub is_text: bool,
    /// Modifier of the AIM symbology identifier `]Q`: 0 to 6 (ISO/IEC 18004, annex F).
    pub aim_modifier: u8,
    /// FNC1 mode, if any.
    pub fnc1: Option<Fnc1>,
    /// Structured append header, if any.
    pub append: Option<StructuredAppend>,
}

impl Content {
    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        let (mut bytes, mut text) = (
            std::mem::take(&mut self.bytes),
            std::mem::take(&mut self.text),
        );
        bytes.clear();
        text.clear();
        *self = Content {
            bytes,
            text,
            ..Content::default()
        };
    }
}

/// Print quality as seen in this picture, by the parameters of ISO/IEC 15415:2024:
/// indicative, since a belt is no verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Unused error correction, 0 to 1: 1 - (2e + s) / (n - k - p), the least of
    /// all blocks (ISO/IEC 15415, 7.5.9).
    pub uec: f32,
    /// Symbol contrast, 0 to 1: light less dark, of full scale (7.5.3).
    pub contrast: f32,
    /// Modulation, a grade from 4 to 0 (7.5.4): how evenly light the light and how
    /// evenly dark the dark modules are, as far as error correction cares.
    pub modulation: f32,
    /// Fixed pattern damage, a grade from 4 to 0 (7.5.6): the worst of finder,
    /// timing and alignment patterns.
    pub fixed_pattern_damage: f32,
    /// Axial nonuniformity (7.5.7): by which share steps along the two axes
    /// differ. Seen at an angle, a good print has some too.
    pub axial_nonuniformity: f32,
    /// Grid nonuniformity (7.5.8): how far a module is from its ideal place at
    /// most, in modules.
    pub grid_nonuniformity: f32,
    /// Mean side of a module in pixels.
    pub module_px: f32,
    /// Width of the edges (10 % to 90 %), in modules.
    pub blur_modules: f32,
}

/// One code in one frame.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// Which symbology.
    pub symbology: Symbology,
    /// Version: 1 to 40 (QR), 1 to 4 (Micro QR), 1 to 32 (rMQR, R7x43 to R17x139).
    pub version: u8,
    /// Error correction level.
    pub level: EcLevel,
    /// Data mask pattern, 0 to 7.
    pub mask: u8,
    /// Seen in a mirror or from behind.
    pub mirrored: bool,
    /// Light modules on a dark ground.
    pub inverted: bool,
    /// Outer corners of the symbol, without its quiet zone, in pixels.
    pub corners: Quad,
    /// What it took to read it.
    pub method: Method,
    /// What it says.
    pub content: Content,
    /// How well it is printed and seen.
    pub quality: Quality,
    /// Modules that error correction turned over or filled in, in codewords.
    pub corrected: u16,
}

/// A symbol that was located but not read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unread {
    /// Outer corners, as far as they are known.
    pub corners: Quad,
    /// The most likely cause.
    pub reason: Reason,
    /// How well the function patterns stand out: 1 if every module of them has its
    /// colour, 0 if as many are right as are wrong.
    pub agreement: f32,
}

/// A finder pattern that no code was read with: something may be there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sign {
    /// Its middle, in pixels.
    pub centre: Point,
    /// Side of a module, in pixels.
    pub module_px: f32,
    /// How far its rings are from 3:5:7, in modules, root mean square: below a
    /// quarter hardly anything else looks like one.
    pub roughness: f32,
}

/// Why nothing, or a located symbol, was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No finder pattern stands out.
    NoFinder,
    /// Too little between light and dark.
    LowContrast,
    /// Motion or focus.
    Blur,
    /// Saturated modules.
    Glare,
    /// Error correction was exceeded though the picture is sharp.
    Damage,
    /// Modules smaller than can be sampled.
    TooSmall,
}

/// The codes of one frame: a vector that keeps the memory of past frames' codes,
/// so that reading allocates nothing once it has warmed up.
#[derive(Debug, Default)]
pub struct Codes {
    slots: Vec<Code>,
    used: usize,
}

impl Codes {
    /// Forgets the codes, keeps their memory.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Appends a code whose memory is recycled: its fields hold old values, its
    /// content is cleared.
    pub fn push(&mut self) -> &mut Code {
        if self.used == self.slots.len() {
            self.slots.push(Code::default());
        }
        self.used += 1;
        let code = &mut self.slots[self.used - 1];
        code.content.clear();
        code
    }

    /// Is `at` within one of them?
    pub fn cover(&self, at: Point) -> bool {
        self.iter().any(|code| code.corners.contains(at))
    }

    /// Takes back the code appended last.
    pub fn pop(&mut self) {
        self.used = self.used.saturating_sub(1);
    }
}

impl std::ops::Deref for Codes {
    type Target = [Code];

    fn deref(&self) -> &[Code] {
        &self.slots[..self.used]
    }
}

impl std::ops::DerefMut for Codes {
    fn deref_mut(&mut self) -> &mut [Code] {
        &mut self.slots[..self.used]
    }
}

impl Reason {
    /// Its name in events and JSON lines.
    pub fn name(self) -> &'static str {
        match self {
            Reason::NoFinder => "no_finder",
            Reason::LowContrast => "low_contrast",
            Reason::Blur => "blur",
            Reason::Glare => "glare",
            Reason::Damage => "damage",
            Reason::TooSmall => "too_small",
        }
    }
}

impl Symbology {
    /// Its name in events and JSON lines.
    pub fn name(self) -> &'static str {
        match self {
            Symbology::Qr => "qr",
            Symbology::MicroQr => "micro_qr",
            Symbology::RmQr => "rmqr",
        }
    }
}

impl EcLevel {
    /// Its letter.
    pub fn name(self) -> &'static str {
        match self {
            EcLevel::L => "L",
            EcLevel::M => "M",
            EcLevel::Q => "Q",
            EcLevel::H => "H",
        }
    }
}

impl Method {
    /// Its name in events and JSON lines.
    pub fn name(self) -> &'static str {
        match self {
            Method::Plain => "plain",
            Method::Deblur => "deblur",
            Method::Erasure => "erasure",
            Method::Fused => "fused",
        }
    }
}
