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
//! queue. [`Strip`], [`Line`], [`Wanted`], [`Pattern`] and [`Pace`] are plain values
//! and are there in every build; what runs the models needs the feature `ocr`.

#[cfg(feature = "ocr")]
mod boxes;
#[cfg(feature = "ocr")]
mod confidence;
#[cfg(all(feature = "ocr", target_arch = "x86_64"))]
mod conv;
#[cfg(feature = "ocr")]
mod ctc;
#[cfg(feature = "ocr")]
mod detector;
#[cfg(feature = "ocr")]
mod error;
#[cfg(feature = "ocr")]
mod faces;
#[cfg(feature = "ocr")]
mod ink;
#[cfg(feature = "ocr")]
mod models;
#[cfg(feature = "ocr")]
mod net;
mod pace;
mod pattern;
#[cfg(feature = "ocr")]
mod reader;
#[cfg(feature = "ocr")]
mod recogniser;
#[cfg(feature = "ocr")]
mod relief;
#[cfg(feature = "ocr")]
mod spaces;
mod strip;
mod wanted;
#[cfg(feature = "ocr")]
mod words;

#[cfg(feature = "ocr")]
pub use {
    detector::Detector,
    error::{Error, ModelError},
    models::Models,
    reader::TextReader,
    recogniser::Recogniser,
};

pub use pace::Pace;
pub use pattern::{Pattern, PatternError};
pub use strip::{HEIGHT, MOST_WIDTH, Strip};
pub use wanted::{Characters, Line, Recognised, Wanted};
