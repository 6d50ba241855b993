//! Pictures without the decoders of the product.

use crate::frame::Luma;

/// A still picture as luma: `height` rows of `width` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The pixels, row by row without padding.
    pub luma: Vec<u8>,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

impl Picture {
    /// The pixels as a view.
    pub fn view(&self) -> Luma<'_> {
        Luma::new(&self.luma, self.width, self.height, self.width)
            .expect("a picture holds width times height bytes")
    }

    /// A PGM of 8 bits.
    pub fn to_pgm(&self) -> Vec<u8> {
        let mut bytes = format!("P5\n{} {}\n255\n", self.width, self.height).into_bytes();
        bytes.extend_from_slice(&self.luma);
        bytes
    }

    /// The other way; only what `to_pgm` writes is understood.
    pub fn from_pgm(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.splitn(4, |&byte| byte == b'\n');
        let mut line = || parts.next().and_then(|line| std::str::from_utf8(line).ok());
        if line()? != "P5" {
            return None;
        }
        let (width, height) = line()?.split_once(' ')?;
        let (width, height): (usize, usize) = (width.parse().ok()?, height.parse().ok()?);
        if line()? != "255" {
            return None;
        }
        let luma = parts.next()?.to_vec();
        let fits = luma.len() == width.checked_mul(height)?;
        fits.then_some(Self {
            luma,
            width,
            height,
        })
    }
}
