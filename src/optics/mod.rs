//! What light did to the picture, measured and undone.
//!
//! Plain picture operations over a luma plane: the [`Pyramid`] of halved
//! pictures and the local [`Threshold`] between light and dark; what stands [`Still`]
//! from frame to frame; motion blur as a [`BlurMeter`] tells it and an [`Inverse`]
//! takes it out of a [`Turned`] part of the picture; defocus, which a [`Refocus`]
//! takes out; [`Register`] that finds a picture again in the next one, and the
//! [`Canvas`] that adds them up. Nothing here knows what a code is.

mod blur;
mod canvas;
mod deblur;
mod defocus;
mod pyramid;
mod register;
mod sampler;
mod still;
mod threshold;
mod turned;
pub(crate) mod wide;

pub use blur::{BlurMeter, LENGTHS, Motion, Relief, Tensor, too_steep};
pub use canvas::{Canvas, Scratch};
pub use deblur::Inverse;
pub use defocus::{Refocus, smoothness};
pub use pyramid::Pyramid;
pub use register::{Found, Register};
pub use sampler::Sampler;
pub use still::{COMPARED, Still};
pub use threshold::{TILE, Threshold, Window};
pub use turned::Turned;
pub(crate) use wide::widest;

/// From this grey value on a pixel is taken for saturated.
pub const WHITE: u8 = 250;
