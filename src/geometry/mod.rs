//! Points, quadrilaterals and homographies: the words in which the rooms speak
//! of places. Pixel coordinates: x to the right, y down, (0, 0) is the outer
//! corner of the first pixel, so its centre is (0.5, 0.5).

mod fit;

pub use fit::{Pair, fit};

/// A place in the picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

impl Point {
    /// The point (`x`, `y`).
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Euclidean distance to `other`.
    pub fn distance(self, other: Point) -> f32 {
        (self - other).length()
    }

    /// Distance from the origin: the bits that `hypot` gives, whose squares are
    /// exact in an `f64` too, without the glibc 2.35 that its name in the C library
    /// would ask of every machine.
    pub fn length(self) -> f32 {
        let (x, y) = (f64::from(self.x), f64::from(self.y));
        (x * x + y * y).sqrt() as f32
    }

    /// Scalar product.
    pub fn dot(self, other: Point) -> f32 {
        self.x * other.x + self.y * other.y
    }

    /// z of the cross product: positive if `other` lies clockwise of `self` on
    /// a screen (y down).
    pub fn cross(self, other: Point) -> f32 {
        self.x * other.y - self.y * other.x
    }
}

impl std::ops::Add for Point {
    type Output = Point;
    fn add(self, other: Point) -> Point {
        Point::new(self.x + other.x, self.y + other.y)
    }
}

impl std::ops::Sub for Point {
    type Output = Point;
    fn sub(self, other: Point) -> Point {
        Point::new(self.x - other.x, self.y - other.y)
    }
}

impl std::ops::Mul<f32> for Point {
    type Output = Point;
    fn mul(self, factor: f32) -> Point {
        Point::new(self.x * factor, self.y * factor)
    }
}

/// Four corners in the symbol's own order: top left, top right, bottom right,
/// bottom left, as the symbol is printed upright. Seen in the picture they run
/// clockwise, or anticlockwise if the symbol is mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quad(pub [Point; 4]);

impl Quad {
    /// Mean of the corners.
    pub fn centre(&self) -> Point {
        self.0
            .iter()
            .fold(Point::default(), |sum, &corner| sum + corner)
            * 0.25
    }

    /// Area in square pixels, positive whichever way the corners run.
    pub fn area(&self) -> f32 {
        let [a, b, c, d] = self.0;
        ((c - a).cross(d - b) * 0.5).abs()
    }

    /// Is `point` inside (or on the rim of) this convex quadrilateral?
    pub fn contains(&self, point: Point) -> bool {
        let side = |i: usize| {
            let from = self.0[i];
            (self.0[(i + 1) % 4] - from).cross(point - from)
        };
        let sides = [side(0), side(1), side(2), side(3)];
        sides.iter().all(|&s| s >= 0.0) || sides.iter().all(|&s| s <= 0.0)
    }

    /// The same shape moved by `by`.
    pub fn shifted(&self, by: Point) -> Quad {
        Quad(self.0.map(|corner| corner + by))
    }

    /// Smallest upright rectangle around it: (left, top, right, bottom).
    pub fn bounds(&self) -> (f32, f32, f32, f32) {
        self.0.iter().fold(
            (f32::MAX, f32::MAX, f32::MIN, f32::MIN),
            |(left, top, right, bottom), corner| {
                (
                    left.min(corner.x),
                    top.min(corner.y),
                    right.max(corner.x),
                    bottom.max(corner.y),
                )
            },
        )
    }
}

/// A projective map of the plane, as a row-major 3×3 matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homography(pub [f64; 9]);

impl Homography {
    /// The map that takes the unit square's corners (0,0), (1,0), (1,1), (0,1)
    /// to those of `quad`; `None` if the corners are degenerate. (Heckbert,
    /// "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.)
    pub fn from_unit_square(quad: &Quad) -> Option<Self> {
        let [p0, p1, p2, p3] = quad.0.map(|p| (f64::from(p.x), f64::from(p.y)));
        let (sx, sy) = (p0.0 - p1.0 + p2.0 - p3.0, p0.1 - p1.1 + p2.1 - p3.1);
        let (dx1, dy1) = (p1.0 - p2.0, p1.1 - p2.1);
        let (dx2, dy2) = (p3.0 - p2.0, p3.1 - p2.1);
        let determinant = dx1 * dy2 - dx2 * dy1;
        if determinant.abs() < 1e-9 || !determinant.is_finite() {
            return None;
        }
        let g = (sx * dy2 - dx2 * sy) / determinant;
        let h = (dx1 * sy - sx * dy1) / determinant;
        Some(Self([
            p1.0 - p0.0 + g * p1.0,
            p3.0 - p0.0 + h * p3.0,
            p0.0,
            p1.1 - p0.1 + g * p1.1,
            p3.1 - p0.1 + h * p3.1,
            p0.1,
            g,
            h,
            1.0,
        ]))
    }

    /// The map that takes the corners of `from` to those of `to`.
    pub fn between(from: &Quad, to: &Quad) -> Option<Self> {
        let back = Self::from_unit_square(from)?.inverse()?;
        Some(Self::from_unit_square(to)?.after(&back))
    }

    /// `self` applied after `first`.
    pub fn after(&self, first: &Homography) -> Self {
        let (a, b) = (&self.0, &first.0);
        Self(std::array::from_fn(|i| {
            let (row, column) = (i / 3, i % 3);
            (0..3).map(|k| a[row * 3 + k] * b[k * 3 + column]).sum()
        }))
    }

    /// The inverse map; `None` if it is singular.
    pub fn inverse(&self) -> Option<Self> {
        let m = &self.0;
        let adjugate = [
            m[4] * m[8] - m[5] * m[7],
            m[2] * m[7] - m[1] * m[8],
            m[1] * m[5] - m[2] * m[4],
            m[5] * m[6] - m[3] * m[8],
            m[0] * m[8] - m[2] * m[6],
            m[2] * m[3] - m[0] * m[5],
            m[3] * m[7] - m[4] * m[6],
            m[1] * m[6] - m[0] * m[7],
            m[0] * m[4] - m[1] * m[3],
        ];
        let determinant = m[0] * adjugate[0] + m[1] * adjugate[3] + m[2] * adjugate[6];
        (determinant.abs() > 1e-18 && determinant.is_finite())
            .then(|| Self(adjugate.map(|value| value / determinant)))
    }

    /// Where (`x`, `y`) lands. Points on the horizon land far outside.
    pub fn map(&self, x: f64, y: f64) -> Point {
        let m = &self.0;
        let w = m[6] * x + m[7] * y + m[8];
        let w = if w.abs() < 1e-12 { 1e-12 } else { w };
        Point::new(
            ((m[0] * x + m[1] * y + m[2]) / w) as f32,
            ((m[3] * x + m[4] * y + m[5]) / w) as f32,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUAD: Quad = Quad([
        Point::new(10.0, 12.0),
        Point::new(110.0, 20.0),
        Point::new(95.0, 130.0),
        Point::new(5.0, 100.0),
    ]);

    #[test]
    fn a_homography_takes_corners_to_corners_and_back() {
        let map = Homography::from_unit_square(&QUAD).expect("not degenerate");
        for ((x, y), corner) in [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
            .into_iter()
            .zip(QUAD.0)
        {
            assert!(map.map(x, y).distance(corner) < 1e-3);
            let back = map
                .inverse()
                .expect("regular")
                .map(corner.x.into(), corner.y.into());
            assert!((f64::from(back.x) - x).abs() < 1e-4 && (f64::from(back.y) - y).abs() < 1e-4);
        }
        assert!(Homography::from_unit_square(&Quad::default()).is_none());
    }

    #[test]
    fn inside_and_outside_of_a_quadrilateral() {
        assert!(QUAD.contains(QUAD.centre()));
        assert!(!QUAD.contains(Point::new(0.0, 0.0)));
        let mirrored = Quad([QUAD.0[1], QUAD.0[0], QUAD.0[3], QUAD.0[2]]);
        assert!(mirrored.contains(mirrored.centre()));
        assert_eq!(QUAD.bounds(), (5.0, 12.0, 110.0, 130.0));
    }
}
