//! Where a picture lies in another one, to a fraction of a pixel.
//!
//! Both are reduced to their detail: what stands out of its surroundings, shades
//! and large highlights taken away. Saturated pixels and their neighbours have
//! none, so that a highlight, which stays in its place while the scene moves,
//! pulls nothing. The place with the greatest normalized correlation is sought
//! at a quarter of the size, then followed down to full size and between pixels.

use super::WHITE;
use crate::frame::Luma;

/// Full, half, quarter size.
const LEVELS: usize = 3;
/// Pixels of full size to one of the coarsest level.
const COARSE: usize = 1 << (LEVELS - 1);
/// Half the side of the surroundings, in pixels of each level.
const AROUND: [usize; LEVELS] = [12, 10, 7];
/// The rim of a highlight stays where it is while the scene moves: so many pixels
/// of half size beside saturated ones are not looked at.
const RIM: usize = 3;
/// Detail beyond so many grey levels counts no more.
const MOST_DETAIL: f32 = 60.0;
/// Least share of the template's pixels that must be compared.
const LEAST_SHARE: f32 = 0.1;
/// The second best place is another one if it lies so many coarse pixels away.
const APART: usize = 2;

/// Where the template was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Its left edge in the picture, px.
    pub left: f32,
    /// Its upper edge, px.
    pub top: f32,
    /// Normalized correlation at a quarter of the size, up to 1.
    pub score: f32,
    /// The best score anywhere else within reach.
    pub rival: f32,
}

/// Finds pictures in pictures, in memory that it keeps.
#[derive(Debug, Default)]
pub struct Register {
    template: Details,
    picture: Details,
    /// Of the places on the coarsest level.
    scores: Vec<(f32, usize, usize)>,
    /// Pixels touched by the last search.
    work: usize,
}

impl Register {
    /// Finds `template` in `picture`, at most `reach` pixels off (`left`, `top`)
    /// on each side. `None` if there is too little to compare.
    pub fn find(
        &mut self,
        template: Luma<'_>,
        picture: Luma<'_>,
        (left, top): (f32, f32),
        reach: f32,
    ) -> Option<Found> {
        self.work = 0;
        let fits = |low: f32, big: usize, small: usize| {
            let most = big.checked_sub(small)? as f32;
            let from = (low - reach).floor().max(0.0);
            let to = (low + reach).ceil().min(most);
            (from <= to).then_some(from as usize / COARSE..=to as usize / COARSE)
        };
        let columns = fits(left, picture.width(), template.width())?;
        let rows = fits(top, picture.height(), template.height())?;
        self.template.build(template);
        self.picture.build(picture);
        self.work += 4 * (template.width() * template.height());
        self.work += 4 * (picture.width() * picture.height());
        let coarse = LEVELS - 1;
        let (mut best, mut at) = (0.0, None);
        let mut scores = std::mem::take(&mut self.scores);
        scores.clear();
        for y in rows {
            for x in columns.clone() {
                let score = self.score(coarse, x, y);
                scores.push((score, x, y));
                if score > best {
                    (best, at) = (score, Some((x, y)));
                }
            }
        }
        let apart =
            |at: (usize, usize), x: usize, y: usize| x.abs_diff(at.0).max(y.abs_diff(at.1)) > APART;
        let rival = scores
            .iter()
            .filter(|(_, x, y)| at.is_some_and(|at| apart(at, *x, *y)))
            .fold(0.0f32, |most, (score, ..)| most.max(*score));
        self.scores = scores;
        let mut at = at?;
        for level in (0..coarse).rev() {
            at = self.climb(level, (2 * at.0, 2 * at.1));
        }
        let (x, y) = at;
        let middle = self.dot(0, x, y)?;
        let vertex = |before: Option<f32>, after: Option<f32>| match before.zip(after) {
            Some((before, after)) => {
                let bend = before + after - 2.0 * middle;
                let off = 0.5 * (before - after) / bend;
                if bend < 0.0 && off.is_finite() {
                    off.clamp(-0.5, 0.5)
                } else {
                    0.0
                }
            }
            None => 0.0,
        };
        let before = |v: usize| v.checked_sub(1);
        let dx = vertex(
            before(x).and_then(|x| self.dot(0, x, y)),
            self.dot(0, x + 1, y),
        );
        let dy = vertex(
            before(y).and_then(|y| self.dot(0, x, y)),
            self.dot(0, x, y + 1),
        );
        Some(Found {
            left: x as f32 + dx,
            top: y as f32 + dy,
            score: best,
            rival,
        })
    }

    /// Pixels that the last search touched, about.
    pub fn work(&self) -> usize {
        self.work
    }

    /// The best place of a level no more than two pixels from `at`.
    fn climb(&mut self, level: usize, at: (usize, usize)) -> (usize, usize) {
        let (mut best, mut place) = (f32::MIN, at);
        for y in at.1.saturating_sub(2)..=at.1 + 2 {
            for x in at.0.saturating_sub(2)..=at.0 + 2 {
                if let Some(score) = self.dot(level, x, y)
                    && score > best
                {
                    (best, place) = (score, (x, y));
                }
            }
        }
        place
    }

    /// Correlation of the template with the picture at (`x`, `y`) of a level;
    /// `None` if it does not fit there.
    fn dot(&mut self, level: usize, x: usize, y: usize) -> Option<f32> {
        let (small, big) = (&self.template.levels[level], &self.picture.levels[level]);
        if x + small.width > big.width || y + small.height > big.height {
            return None;
        }
        self.work += small.width * small.height;
        let mut sum = 0.0;
        for row in 0..small.height {
            let a = &small.detail[row * small.width..][..small.width];
            let b = &big.detail[(row + y) * big.width + x..][..small.width];
            sum += dot(a, b);
        }
        Some(sum)
    }

    /// The same, divided by the energy of what is compared.
    fn score(&mut self, level: usize, x: usize, y: usize) -> f32 {
        let (small, big) = (&self.template.levels[level], &self.picture.levels[level]);
        if x + small.width > big.width || y + small.height > big.height {
            return 0.0;
        }
        self.work += 3 * small.width * small.height;
        let (mut product, mut ours, mut theirs, mut count) = (0.0, 0.0, 0.0, 0.0);
        for row in 0..small.height {
            let (from, to) = (row * small.width, (row + y) * big.width + x);
            let a = &small.detail[from..][..small.width];
            let b = &big.detail[to..][..small.width];
            let (in_a, in_b) = (
                &small.known[from..][..small.width],
                &big.known[to..][..small.width],
            );
            product += dot(a, b);
            ours += energy(a, in_b);
            theirs += energy(b, in_a);
            count += dot(in_a, in_b);
        }
        let enough = count >= LEAST_SHARE * (small.width * small.height) as f32;
        // A grey level of noise everywhere is no detail.
        let power = ((ours + count) * (theirs + count)).sqrt();
        if enough { product / power } else { 0.0 }
    }
}

/// Sum of products, in eight lanes.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Sum of squares where `known` is 1.
fn energy(a: &[f32], known: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let ((a, a_rest), (k, k_rest)) = (a.as_chunks::<8>(), known.as_chunks::<8>());
    for (a, k) in a.iter().zip(k) {
        for i in 0..8 {
            lanes[i] += a[i] * a[i] * k[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(k_rest).map(|(a, k)| a * a * k).sum();
    lanes.iter().sum::<f32>() + rest
}

/// A picture's detail on all levels.
#[derive(Debug, Default)]
struct Details {
    levels: [Level; LEVELS],
    sums: Vec<[i32; 2]>,
}

#[derive(Debug, Default)]
struct Level {
    width: usize,
    height: usize,
    /// Grey values times 16; negative where nothing is known.
    grey: Vec<i16>,
    /// Grey value less that of the surroundings; 0 where nothing is known.
    detail: Vec<f32>,
    /// 1 where something is known, else 0.
    known: Vec<f32>,
}

impl Details {
    fn build(&mut self, luma: Luma<'_>) {
        let first = &mut self.levels[0];
        (first.width, first.height) = (luma.width(), luma.height());
        first.grey.clear();
        first.grey.reserve_exact(first.width * first.height);
        for y in 0..luma.height() {
            first
                .grey
                .extend(luma.row(y).iter().map(|&light| match light {
                    WHITE.. => -1,
                    light => i16::from(light) << 4,
                }));
        }
        for level in 1..LEVELS {
            let (finer, coarser) = self.levels.split_at_mut(level);
            coarser[0].halve(&finer[level - 1]);
            if level == 1 {
                coarser[0].shy_away(RIM, &mut self.sums);
            }
        }
        for (level, around) in self.levels.iter_mut().zip(AROUND) {
            level.stand_out(around, &mut self.sums);
        }
    }
}

impl Level {
    /// Half of `finer`. A pixel is known if all four below it are.
    fn halve(&mut self, finer: &Level) {
        (self.width, self.height) = (finer.width / 2, finer.height / 2);
        self.grey.clear();
        self.grey.reserve_exact(self.width * self.height);
        for y in 0..self.height {
            let upper = &finer.grey[2 * y * finer.width..][..2 * self.width];
            let lower = &finer.grey[(2 * y + 1) * finer.width..][..2 * self.width];
            let pairs = upper
                .as_chunks::<2>()
                .0
                .iter()
                .zip(lower.as_chunks::<2>().0);
            self.grey.extend(pairs.map(|([a, b], [c, d])| {
                if (a | b | c | d) < 0 {
                    -1
                } else {
                    (a + b + c + d + 2) >> 2
                }
            }));
        }
    }

    /// Forgets the pixels no more than `rim` columns and rows away from one of
    /// which nothing is known. What is forgotten on the way down is -2, on the
    /// way across -3, so that it does not spread.
    fn shy_away(&mut self, rim: usize, sums: &mut Vec<[i32; 2]>) {
        let width = self.width.max(1);
        let step = |grey: &mut i16, since: &mut i32, mark: i16| {
            *since = if *grey < 0 && *grey > mark {
                0
            } else {
                since.saturating_add(1)
            };
            if *since <= rim as i32 && *grey >= 0 {
                *grey = mark;
            }
        };
        let down = |row: &mut [i16], sums: &mut [[i32; 2]]| {
            for (grey, since) in row.iter_mut().zip(sums) {
                step(grey, &mut since[0], -2);
            }
        };
        sums.clear();
        sums.resize(width, [i32::MAX, 0]);
        for row in self.grey.chunks_exact_mut(width) {
            down(row, sums);
        }
        sums.fill([i32::MAX, 0]);
        for row in self.grey.chunks_exact_mut(width).rev() {
            down(row, sums);
        }
        for row in self.grey.chunks_exact_mut(width) {
            let (mut right, mut left) = (i32::MAX, i32::MAX);
            for grey in row.iter_mut() {
                step(grey, &mut right, -3);
            }
            for grey in row.iter_mut().rev() {
                step(grey, &mut left, -3);
            }
        }
    }

    /// Fills `detail` and `known`: the mean of the known pixels no more than
    /// `around` away is taken off.
    fn stand_out(&mut self, around: usize, sums: &mut Vec<[i32; 2]>) {
        let (width, height) = (self.width, self.height);
        self.detail.clear();
        self.detail.reserve_exact(width * height);
        self.known.clear();
        self.known.reserve_exact(width * height);
        // Of each column: sum and number of the known pixels.
        sums.clear();
        sums.resize(width, [0, 0]);
        let grey = &self.grey;
        let take = |sums: &mut Vec<[i32; 2]>, y: usize, sign: i32| {
            for (sum, &grey) in sums.iter_mut().zip(&grey[y * width..][..width]) {
                if grey >= 0 {
                    sum[0] += sign * i32::from(grey);
                    sum[1] += sign;
                }
            }
        };
        (0..around.min(height)).for_each(|y| take(sums, y, 1));
        for y in 0..height {
            if y + around < height {
                take(sums, y + around, 1);
            }
            if y > around {
                take(sums, y - around - 1, -1);
            }
            let (mut sum, mut count) = (0, 0);
            for column in &sums[..around.min(width)] {
                sum += column[0];
                count += column[1];
            }
            for x in 0..width {
                if let Some(column) = sums.get(x + around) {
                    sum += column[0];
                    count += column[1];
                }
                if x > around {
                    let column = sums[x - around - 1];
                    sum -= column[0];
                    count -= column[1];
                }
                let grey = grey[y * width + x];
                if grey < 0 {
                    self.detail.push(0.0);
                    self.known.push(0.0);
                } else {
                    let mean = sum as f32 / count.max(1) as f32;
                    let detail = (f32::from(grey) - mean) / 16.0;
                    self.detail.push(detail.clamp(-MOST_DETAIL, MOST_DETAIL));
                    self.known.push(1.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;

    /// Smooth random texture at a place between pixels.
    fn texture(seed: u64, width: usize, height: usize, by: (f32, f32)) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        let waves: Vec<[f32; 4]> = (0..60)
            .map(|_| {
                [
                    random.f32() - 0.5,
                    random.f32() - 0.5,
                    6.3 * random.f32(),
                    random.f32(),
                ]
            })
            .collect();
        (0..width * height)
            .map(|i| {
                let (x, y) = ((i % width) as f32 + by.0, (i / width) as f32 + by.1);
                let sum: f32 = waves
                    .iter()
                    .map(|w| w[3] * (w[0] * x + w[1] * y + w[2]).sin())
                    .sum();
                110.0 + 12.0 * sum
            })
            .collect()
    }

    fn pixels(light: &[f32]) -> Vec<u8> {
        light
            .iter()
            .map(|v| v.round().clamp(0.0, 255.0) as u8)
            .collect()
    }

    fn find(template: &[u8], picture: &[u8], at: (f32, f32), reach: f32) -> Option<Found> {
        Register::default().find(
            Luma::new(template, 80, 64, 80).expect("fits"),
            Luma::new(picture, 140, 120, 140).expect("fits"),
            at,
            reach,
        )
    }

    #[test]
    fn a_template_is_found_to_a_tenth_of_a_pixel() {
        for (seed, x, y) in [
            (1, 30.0, 20.0),
            (2, 21.37, 33.81),
            (3, 44.5, 12.25),
            (4, 8.9, 40.6),
        ] {
            let picture = pixels(&texture(seed, 140, 120, (0.0, 0.0)));
            let template = pixels(&texture(seed, 80, 64, (x, y)));
            let found = find(&template, &picture, (30.0, 25.0), 30.0).expect("found");
            let off = Point::new(found.left - x, found.top - y).length();
            assert!(off < 0.15 && found.score > 0.7, "{seed}: {found:?}");
            assert!(found.rival < 0.8 * found.score, "{found:?}");
        }
    }

    #[test]
    fn a_highlight_that_stays_where_it_was_pulls_nothing() {
        // The scene moves by 17.5 pixels, the highlight by none.
        let lamp = |width: usize, left: f32, top: f32| {
            move |i: usize| {
                let (x, y) = ((i % width) as f32 + left, (i / width) as f32 + top);
                300.0 * (1.4 - Point::new(x - 70.0, y - 55.0).length() / 16.0).clamp(0.0, 1.0)
            }
        };
        let add = |light: Vec<f32>, lamp: &dyn Fn(usize) -> f32| -> Vec<u8> {
            let lit: Vec<f32> = light.iter().enumerate().map(|(i, v)| v + lamp(i)).collect();
            pixels(&lit)
        };
        let before = add(texture(5, 80, 64, (30.0, 25.0)), &lamp(80, 30.0, 25.0));
        let after = add(texture(5, 140, 120, (-17.5, 0.0)), &lamp(140, 0.0, 0.0));
        let found = find(&before, &after, (30.0, 25.0), 24.0).expect("found");
        assert!(
            (found.left - 47.5).abs() < 0.3 && (found.top - 25.0).abs() < 0.3,
            "{found:?}"
        );
    }

    #[test]
    fn noise_does_not_hide_it() {
        let mut random = fastrand::Rng::with_seed(6);
        let mut noisy = |light: Vec<f32>| -> Vec<u8> {
            let faint: Vec<f32> = light
                .iter()
                .map(|v| {
                    100.0 + 0.2 * v + 30.0 * (random.f32() + random.f32() + random.f32() - 1.5)
                })
                .collect();
            pixels(&faint)
        };
        let picture = noisy(texture(7, 140, 120, (0.0, 0.0)));
        let template = noisy(texture(7, 80, 64, (33.4, 21.0)));
        let found = find(&template, &picture, (30.0, 25.0), 20.0).expect("found");
        let off = Point::new(found.left - 33.4, found.top - 21.0).length();
        assert!(off < 0.7, "{found:?}");
    }

    #[test]
    fn empty_or_white_or_misplaced_pictures_are_no_match() {
        let mut register = Register::default();
        let white = vec![255; 64 * 64];
        let flat = vec![90; 64 * 64];
        let views = [
            Luma::empty(),
            Luma::new(&white, 1, 1, 1).expect("fits"),
            Luma::new(&white, 64, 64, 64).expect("fits"),
            Luma::new(&flat, 64, 64, 64).expect("fits"),
            Luma::new(&flat, 3, 21, 3).expect("fits"),
        ];
        for template in views {
            for picture in views {
                for at in [0.0, 5.0, -1e9, 1e9, f32::NAN] {
                    for reach in [0.0, 20.0, f32::NAN, f32::INFINITY] {
                        let found = register.find(template, picture, (at, at), reach);
                        assert!(found.is_none_or(|found| found.score < 0.1), "{found:?}");
                    }
                }
            }
        }
    }
}
