//! All text in a picture: detection and recognition together.

use std::time::Duration;

use super::{Detector, Error, Line, ModelError, Models, Pace, Recogniser, Strip, Wanted};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};

/// Finds lines and reads them.
pub struct TextReader {
    detector: Detector,
    recogniser: Recogniser,
    found: Vec<Quad>,
    strip: Option<Strip>,
}

impl TextReader {
    /// Loads both models.
    pub fn load(models: &Models) -> Result<Self, ModelError> {
        Ok(Self {
            detector: Detector::load(models)?,
            recogniser: Recogniser::load(models)?,
            found: Vec::new(),
            strip: None,
        })
    }

    /// Every line in the picture that can be read, from top to bottom, in its own
    /// pixels. What lies inside one of `skip` (codes that are known) is no text.
    pub fn read_all(
        &mut self,
        luma: Luma<'_>,
        skip: &[Quad],
        wanted: &Wanted,
        pace: &mut Pace,
    ) -> Result<Vec<Line>, Error> {
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        let read = match self.detector.detect(luma, skip, &mut found, pace) {
            Ok(()) => self.read_lines(luma, &found, wanted, pace),
            Err(error) => Err(error),
        };
        self.found = found;
        read
    }

    /// The same where the lines are known.
    pub fn read_lines(
        &mut self,
        luma: Luma<'_>,
        found: &[Quad],
        wanted: &Wanted,
        pace: &mut Pace,
    ) -> Result<Vec<Line>, Error> {
        let mut lines = Vec::new();
        for corners in found {
            let corners = inside(corners, luma);
            let cut = match &mut self.strip {
                Some(strip) => strip.recut(luma, &corners),
                none => {
                    *none = Strip::cut(luma, &corners);
                    none.is_some()
                }
            };
            let Some(strip) = self.strip.as_ref().filter(|_| cut) else {
                continue;
            };
            if let Some(read) = self.recogniser.read(strip, wanted, pace)? {
                let [a, b, c, d] = corners.0;
                lines.push(Line {
                    text: read.text,
                    confidence: read.confidence,
                    corners: match read.upside_down {
                        true => Quad([c, d, a, b]),
                        false => corners,
                    },
                });
            }
        }
        Ok(lines)
    }

    /// Time spent so far on building networks.
    pub fn building(&self) -> Duration {
        self.detector.building() + self.recogniser.building()
    }

    /// The recogniser alone, for places that are known.
    pub fn recogniser(&mut self) -> &mut Recogniser {
        &mut self.recogniser
    }
}

/// The same corners, each moved into the picture: a blown-up box of a line at the
/// rim reaches beyond it.
fn inside(corners: &Quad, luma: Luma<'_>) -> Quad {
    let (right, bottom) = (luma.width() as f32, luma.height() as f32);
    Quad(
        corners
            .0
            .map(|p| Point::new(p.x.clamp(0.0, right), p.y.clamp(0.0, bottom))),
    )
}
