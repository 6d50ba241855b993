//! What light did to the picture, measured and undone.
//!
//! Plain picture operations over a luma plane: the [`Pyramid`] of halved
//! pictures, the local [`Threshold`] between light and dark, [`Register`] that
//! finds a picture again in the next one, and the [`Canvas`] that adds them up.
//! Nothing here knows what a code is.

mod canvas;
mod pyramid;
mod register;
mod sampler;
mod threshold;

pub use canvas::{Canvas, Scratch};
pub use pyramid::Pyramid;
pub use register::{Found, Register};
pub use sampler::Sampler;
pub use threshold::{TILE, Threshold, Window};

/// From this grey value on a pixel is taken for saturated.
pub const WHITE: u8 = 250;
