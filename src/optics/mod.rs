//! What light did to the picture, measured and undone.
//!
//! Plain picture operations over a luma plane: the [`Pyramid`] of halved
//! pictures and the local [`Threshold`] between light and dark; motion blur as a
//! [`BlurMeter`] tells it and an [`Inverse`] takes it out of a [`Turned`] part of
//! the picture; defocus, which a [`Refocus`] takes out. Nothing here knows what a
//! code is.

mod blur;
mod deblur;
mod defocus;
mod pyramid;
mod sampler;
mod threshold;
mod turned;

pub use blur::{BlurMeter, LENGTHS, Motion, Relief, Tensor};
pub use deblur::Inverse;
pub use defocus::{Refocus, smoothness};
pub use pyramid::Pyramid;
pub use sampler::Sampler;
pub use threshold::{TILE, Threshold, Window};
pub use turned::Turned;
