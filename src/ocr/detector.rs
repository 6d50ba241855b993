//! Where text is, in a frame or a part of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::models::{ModelFile, Models};
use super::net::Net;
use super::relief::{self, Area};
use super::{Error, ModelError, Pace, boxes};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};

/// Longest side that the picture is reduced to: letters of 16 pixels in a frame of
/// 1280 columns become 8 high, which the network still finds.
const LONGEST: usize = 640;
/// Sizes that networks are built for.
const WIDTHS: [usize; 2] = [320, 640];
const HEIGHTS: [usize; 5] = [96, 192, 320, 416, 640];
/// Networks that are kept, the one used last first. Building one costs as much as ten
/// looks, so nearly all sizes are kept; each takes some megabytes.
const KEPT: usize = 8;
/// From so many percent of the picture on that areas take in their networks it is
/// looked at whole: that costs less.
const WHOLE: usize = 85;
/// What the network was taught to expect of each plane.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Finds lines of text. Networks are built when the first picture of their size
/// comes.
pub struct Detector {
    file: Arc<ModelFile>,
    nets: Vec<Net>,
    reduced: Vec<u8>,
    planes: Vec<f32>,
    areas: Vec<Area>,
    building: Duration,
}

impl Detector {
    /// Takes the model and builds its smallest network, so that a model that cannot
    /// be run is told now.
    pub fn load(models: &Models) -> Result<Self, ModelError> {
        let mut detector = Self {
            file: Arc::clone(&models.detect),
            nets: Vec::new(),
            reduced: Vec::new(),
            planes: Vec::new(),
            areas: Vec::new(),
            building: Duration::ZERO,
        };
        let (width, height) = (WIDTHS[0], HEIGHTS[0]);
        detector.planes.resize(3 * width * height, 0.0);
        let planes = std::mem::take(&mut detector.planes);
        detector
            .net(height, width)?
            .run(&planes, &[1, 1, height, width], &mut Pace::steady(), |_| ())
            .map_err(|error| ModelError::new(&models.detect.name, error.to_string()))?;
        Ok(detector)
    }

    /// Builds the network for whole pictures of this size now.
    pub fn warm(&mut self, width: usize, height: usize) -> Result<(), ModelError> {
        let factor = factor(width, height);
        let (width, height) = (
            bucket(width / factor, &WIDTHS),
            bucket(height / factor, &HEIGHTS),
        );
        self.net(height, width).map(|_| ())
    }

    /// Time spent so far on building networks: what a first picture takes longer.
    pub fn building(&self) -> Duration {
        self.building
    }

    /// Adds the lines in `luma` to `lines`, at most 256 for each place that has
    /// relief: corners in its pixels, from the text's top left clockwise, along the
    /// longer side from left to right (upside-down text so begins at its end).
    /// What lies inside a quadrilateral of `skip` (codes that are known) is no text.
    pub fn detect(
        &mut self,
        luma: Luma<'_>,
        skip: &[Quad],
        lines: &mut Vec<Quad>,
        pace: &mut Pace,
    ) -> Result<(), Error> {
        self.look(luma, skip, false, lines, pace)
    }

    /// The same without leaving out what has no relief: what [`Detector::detect`]
    /// is measured against.
    pub fn detect_whole(
        &mut self,
        luma: Luma<'_>,
        skip: &[Quad],
        lines: &mut Vec<Quad>,
    ) -> Result<(), Error> {
        self.look(luma, skip, true, lines, &mut Pace::steady())
    }

    /// What the network says of a picture that has one of its sizes (320 × 192, 640 ×
    /// 416 …): the probability of text at each pixel. For comparing it with other
    /// runtimes.
    pub fn probabilities(&mut self, luma: Luma<'_>) -> Result<Vec<f32>, Error> {
        let (width, height) = (luma.width(), luma.height());
        let (wide, high) = (bucket(width, &WIDTHS), bucket(height, &HEIGHTS));
        let mut planes = Vec::new();
        fill(&mut planes, luma, wide, high);
        let net = self
            .net(high, wide)
            .map_err(|error| Error(error.to_string()))?;
        net.run(
            &planes,
            &[1, 1, high, wide],
            &mut Pace::steady(),
            <[f32]>::to_vec,
        )
    }

    fn look(
        &mut self,
        luma: Luma<'_>,
        skip: &[Quad],
        whole: bool,
        lines: &mut Vec<Quad>,
        pace: &mut Pace,
    ) -> Result<(), Error> {
        let factor = factor(luma.width(), luma.height());
        let (width, height) = (luma.width() / factor, luma.height() / factor);
        if width == 0 || height == 0 {
            return Ok(());
        }
        let mut reduced = std::mem::take(&mut self.reduced);
        reduce(luma, factor, &mut reduced);
        let small = Luma::new(&reduced, width, height, width).unwrap_or(Luma::empty());
        let scale = 1.0 / factor as f32;
        let skipped: Vec<Quad> = skip
            .iter()
            .map(|quad| Quad(quad.0.map(|p| p * scale)))
            .collect();
        let mut areas = std::mem::take(&mut self.areas);
        relief::areas(small, &skipped, &mut areas);
        let all = Area {
            x: 0,
            y: 0,
            width,
            height,
        };
        let cost = |area: &Area| bucket(area.width, &WIDTHS) * bucket(area.height, &HEIGHTS);
        let parts: usize = areas.iter().map(cost).sum();
        if whole || parts * 100 > cost(&all) * WHOLE {
            areas.clear();
            areas.push(all);
        }
        let first = lines.len();
        let mut done = Ok(());
        for area in &areas {
            let found = lines.len();
            done = self.one(small, *area, lines, pace);
            if done.is_err() {
                break;
            }
            for line in &mut lines[found..] {
                let from = Point::new(area.x as f32, area.y as f32);
                *line = Quad(line.0.map(|p| (p + from) * factor as f32));
            }
        }
        self.reduced = reduced;
        self.areas = areas;
        let known = |line: &Quad| skip.iter().any(|quad| quad.contains(line.centre()));
        let mut at = first;
        while at < lines.len() {
            if known(&lines[at]) {
                lines.remove(at);
            } else {
                at += 1;
            }
        }
        // In the order of reading, as far as that can be said of lines at any angle.
        lines[first..].sort_by(|a, b| {
            let (a, b) = (a.centre(), b.centre());
            a.y.total_cmp(&b.y).then(a.x.total_cmp(&b.x))
        });
        done
    }

    /// Adds the lines in one area of the reduced picture, in its own pixels.
    fn one(
        &mut self,
        small: Luma<'_>,
        area: Area,
        lines: &mut Vec<Quad>,
        pace: &mut Pace,
    ) -> Result<(), Error> {
        let (width, height) = (bucket(area.width, &WIDTHS), bucket(area.height, &HEIGHTS));
        let part = small.crop(area.x, area.y, area.width, area.height);
        let mut planes = std::mem::take(&mut self.planes);
        fill(&mut planes, part, width, height);
        let result = self
            .net(height, width)
            .map_err(|error| Error(error.to_string()))
            .and_then(|net| {
                net.run(&planes, &[1, 1, height, width], pace, |map| {
                    boxes::lines(map, width, lines)
                })
            });
        self.planes = planes;
        result
    }

    fn net(&mut self, height: usize, width: usize) -> Result<&Net, ModelError> {
        match self
            .nets
            .iter()
            .position(|net| net.size() == (height, width))
        {
            Some(at) => self.nets[..=at].rotate_right(1),
            None => {
                let start = Instant::now();
                let net = Net::load(&self.file, height, width)?;
                self.building += start.elapsed();
                self.nets.truncate(KEPT - 1);
                self.nets.insert(0, net);
            }
        }
        Ok(&self.nets[0])
    }
}

/// How many pixels of the picture become one, along each side.
fn factor(width: usize, height: usize) -> usize {
    width.max(height).div_ceil(LONGEST).max(1)
}

/// The smallest size that holds `side`; the largest if none does.
fn bucket(side: usize, sizes: &[usize]) -> usize {
    let largest = sizes.last().copied().unwrap_or(side);
    sizes
        .iter()
        .copied()
        .find(|&size| side <= size)
        .unwrap_or(largest)
}

/// Each pixel the mean of `factor` × `factor`.
fn reduce(luma: Luma<'_>, factor: usize, to: &mut Vec<u8>) {
    let (width, height) = (luma.width() / factor, luma.height() / factor);
    to.clear();
    to.reserve(width * height);
    let mut sums = vec![0u32; width];
    let count = (factor * factor) as u32;
    for y in 0..height {
        sums.fill(0);
        for row in 0..factor {
            let from = luma.row(y * factor + row);
            for (sum, pixels) in sums.iter_mut().zip(from.chunks_exact(factor)) {
                *sum += pixels.iter().map(|&grey| u32::from(grey)).sum::<u32>();
            }
        }
        to.extend(sums.iter().map(|&sum| ((sum + count / 2) / count) as u8));
    }
}

/// The picture as the network takes it, at the top left of a grey ground.
fn fill(planes: &mut Vec<f32>, part: Luma<'_>, width: usize, height: usize) {
    planes.clear();
    for (mean, deviation) in MEAN.into_iter().zip(DEVIATION) {
        let table: [f32; 256] =
            std::array::from_fn(|grey| (grey as f32 / 255.0 - mean) / deviation);
        let ground = table[114];
        for y in 0..height {
            let start = planes.len();
            if y < part.height() {
                planes.extend(
                    part.row(y)
                        .iter()
                        .take(width)
                        .map(|&grey| table[usize::from(grey)]),
                );
            }
            planes.resize(start + width, ground);
        }
    }
}
