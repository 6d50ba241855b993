//! Printed text: where it is, cut out and straightened, and what it says.
//!
//! ```text
//!  luma ──► Detector ──► quads ──► Strip ──► Recogniser ──► text, confidence
//!           (only where the place is not known)    ▲
//!                                            Wanted: characters, pattern
//! ```
//!
//! A place that is known relative to a code needs no detection: [`Strip::cut`]
//! straightens it by its four corners, and a strip is small enough to wait in a
//! queue. [`Strip`], [`Line`], [`Wanted`] and [`Pattern`] are plain values and are
//! there in every build; what runs the models needs the feature `ocr`.

mod pattern;
mod strip;
mod wanted;

pub use pattern::{Pattern, PatternError};
pub use strip::{HEIGHT, MOST_WIDTH, Strip};
pub use wanted::{Characters, Line, Recognised, Wanted};
