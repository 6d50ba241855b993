//! What is asked of the recogniser, and what it answers.

use super::Pattern;
use crate::geometry::Quad;

/// Which characters a line may be made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Characters {
    /// 0 to 9 and what stands between digits: space, `.`, `,`, `-`, `/`, `:`, `+`.
    Digits,
    /// Printable ASCII, 0x20 to 0x7e.
    #[default]
    Ascii,
    /// All that the model knows: Latin with its accents, and Chinese.
    Full,
}

impl Characters {
    /// Its name as configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Characters::Digits => "digits",
            Characters::Ascii => "ascii",
            Characters::Full => "full",
        }
    }

    /// May a line hold this character?
    pub fn hold(self, character: char) -> bool {
        match self {
            Characters::Digits => {
                character.is_ascii_digit()
                    || matches!(character, ' ' | '.' | ',' | '-' | '/' | ':' | '+')
            }
            Characters::Ascii => matches!(character, ' '..='~'),
            Characters::Full => true,
        }
    }
}

/// What a line is expected to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// What it may be made of.
    pub characters: Characters,
    /// The form that it has for certain: what does not fit is never answered.
    pub pattern: Option<Pattern>,
}

/// What the recogniser made of a strip.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// The text, spaces included. Never empty.
    pub text: String,
    /// How sure that the whole text is right, 0 to 1.
    pub confidence: f32,
    /// Whether the strip showed it upside down.
    pub upside_down: bool,
}

/// A line of text in a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The text, spaces included.
    pub text: String,
    /// How sure that the whole text is right, 0 to 1.
    pub confidence: f32,
    /// Its corners in pixels of the frame, from the text's own top left clockwise
    /// as it is read.
    pub corners: Quad,
}
