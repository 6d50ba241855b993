//! Find, sample, decode: QR codes out of a luma plane.
//!
//! Plain values go from step to step: a located symbol ([`crate::geometry`]), its
//! [`Modules`] (a confidence for each module, never a bit), its [`Content`].
//! Nothing here knows of frames before or after this one, of threads or items.

mod attempts;
mod budget;
mod code;
pub mod decode;
pub mod encode;
mod encode_micro;
mod finder;
mod grid;
mod modules;
mod quality;
mod reader;
mod reads;
mod sweep;
mod trial;

pub use code::{
    Code, Codes, Content, EcLevel, Fnc1, Method, Quality, Reason, Sign, StructuredAppend,
    Symbology, Unread,
};
pub use decode::{DecodeError, Decoder};
pub use encode::{BitMatrix, EncodeError, encode};
pub use encode_micro::encode_micro;
pub use modules::Modules;
pub use reader::{Hint, Reader, ReaderOptions};
pub use reads::{Reads, Tried, Work};
