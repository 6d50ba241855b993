//! What light did to the picture, measured and undone.
//!
//! Plain picture operations over a luma plane: the [`Pyramid`] of halved
//! pictures and the local [`Threshold`] between light and dark. Nothing here
//! knows what a code is.

mod pyramid;
mod sampler;
mod threshold;

pub use pyramid::Pyramid;
pub use sampler::Sampler;
pub use threshold::{TILE, Threshold, Window};
