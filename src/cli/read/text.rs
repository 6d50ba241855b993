//! Text beside the codes: one reader for each thread, loaded when the first
//! picture comes, so that nobody waits for models that are not used.

#[cfg(feature = "ocr")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::frame::Luma;
#[cfg(feature = "ocr")]
use crate::geometry::Quad;
use crate::ocr::Line;
#[cfg(feature = "ocr")]
use crate::ocr::{Characters, Models, Pace, TextReader, Wanted};
use crate::qr::Reads;

/// Lines that are less sure are not told: most are no text at all.
#[cfg(feature = "ocr")]
const LEAST_CONFIDENCE: f32 = 0.3;

/// Reads text, or does not.
pub(super) struct Texts {
    wanted: bool,
    #[cfg(feature = "ocr")]
    reader: Option<TextReader>,
}

impl Texts {
    pub(super) fn new(wanted: bool) -> Self {
        Self {
            wanted,
            #[cfg(feature = "ocr")]
            reader: None,
        }
    }

    /// Is text read at all?
    pub(super) fn wanted(&self) -> bool {
        cfg!(feature = "ocr") && self.wanted
    }

    /// Loads the models, if there is text to be read and they are not there yet.
    /// Without them no text is read, and the log says so.
    pub(super) fn ready(&mut self) {
        #[cfg(feature = "ocr")]
        if self.wanted && self.reader.is_none() {
            match TextReader::load(&Models::builtin()) {
                Ok(reader) => self.reader = Some(reader),
                Err(error) => {
                    log::error!("no text is read: {error}");
                    self.wanted = false;
                }
            }
        }
    }

    /// Time spent so far on building networks.
    pub(super) fn building(&self) -> Duration {
        #[cfg(feature = "ocr")]
        if let Some(reader) = &self.reader {
            return reader.building();
        }
        Duration::ZERO
    }

    /// The lines of text in `luma`, of which the codes were read.
    #[cfg(feature = "ocr")]
    pub(super) fn read(&mut self, luma: Luma<'_>, reads: &Reads) -> Vec<Line> {
        let Some(reader) = self.reader.as_mut().filter(|_| self.wanted) else {
            return Vec::new();
        };
        let unread = reads.unread.iter().map(|unread| unread.corners);
        let codes: Vec<Quad> = reads
            .codes
            .iter()
            .map(|code| code.corners)
            .chain(unread)
            .collect();
        let wanted = Wanted {
            characters: Characters::Full,
            pattern: None,
        };
        let result = catch_unwind(AssertUnwindSafe(|| {
            reader.read_all(luma, &codes, &wanted, &mut Pace::steady())
        }));
        match result {
            Ok(Ok(mut lines)) => {
                lines.retain(|line| line.confidence >= LEAST_CONFIDENCE);
                lines
            }
            Ok(Err(error)) => {
                log::error!("no text is read in this picture: {error}");
                Vec::new()
            }
            Err(_) => {
                // Nothing is known of its state: the next picture gets a new one.
                log::error!(
                    "the reader of text failed on this picture, which is a fault of beltscan's"
                );
                self.reader = None;
                Vec::new()
            }
        }
    }

    /// No lines: this build reads none.
    #[cfg(not(feature = "ocr"))]
    pub(super) fn read(&mut self, _: Luma<'_>, _: &Reads) -> Vec<Line> {
        // What was asked for makes no difference here.
        let _ = self.wanted;
        Vec::new()
    }
}

/// Keeps the sharpest of several frames.
#[derive(Default)]
pub(super) struct Sharpest {
    pixels: Vec<u8>,
    size: (usize, usize),
    slopes: u64,
}

impl Sharpest {
    /// Takes the frame if it is sharper than those before.
    pub(super) fn offer(&mut self, luma: Luma<'_>) {
        let slopes = (0..luma.height())
            .step_by(2)
            .flat_map(|y| luma.row(y).windows(2))
            .map(|pair| u64::from(pair[0].abs_diff(pair[1])).pow(2))
            .sum();
        if self.pixels.is_empty() || slopes > self.slopes {
            self.slopes = slopes;
            self.size = (luma.width(), luma.height());
            self.pixels.clear();
            (0..luma.height()).for_each(|y| self.pixels.extend_from_slice(luma.row(y)));
        }
    }

    /// The sharpest frame; without pixels if there was none.
    pub(super) fn luma(&self) -> Luma<'_> {
        let (width, height) = self.size;
        Luma::new(&self.pixels, width, height, width).unwrap_or(Luma::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sharpest_frame_is_kept() {
        let mut sharpest = Sharpest::default();
        assert_eq!(sharpest.luma().width(), 0);
        let steep: Vec<u8> = (0..64).map(|i| if i % 2 == 0 { 0 } else { 200 }).collect();
        let flat: Vec<u8> = (0..64).map(|i| if i % 8 < 4 { 90 } else { 110 }).collect();
        for frame in [&flat, &steep, &flat] {
            sharpest.offer(Luma::new(frame, 8, 8, 8).expect("fits"));
        }
        assert_eq!(sharpest.luma().row(3), &steep[..8]);
    }
}
