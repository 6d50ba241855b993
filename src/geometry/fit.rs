//! The homography that fits many pairs of points best.

use super::{Homography, Point};

/// A point, where the map is to take it, and its weight.
pub type Pair = (Point, Point, f32);

/// Least squares over `pairs`, linearised; `None` if they do not span the plane.
/// Coordinates are centred and scaled first (Hartley, "In defense of the
/// eight-point algorithm", 1997). `flatness` weighs down perspective: 0 leaves
/// it free, large values give an affine map.
pub fn fit(pairs: &[Pair], flatness: f64) -> Option<Homography> {
    let (from, from_scale) = normal(pairs.iter().map(|pair| pair.0))?;
    let (to, to_scale) = normal(pairs.iter().map(|pair| pair.1))?;
    let mut matrix = [[0.0f64; 9]; 8];
    for &(a, b, weight) in pairs {
        let (x, y) = (
            f64::from(a.x - from.x) * from_scale,
            f64::from(a.y - from.y) * from_scale,
        );
        let (p, q) = (
            f64::from(b.x - to.x) * to_scale,
            f64::from(b.y - to.y) * to_scale,
        );
        let rows = [
            [x, y, 1.0, 0.0, 0.0, 0.0, -x * p, -y * p, p],
            [0.0, 0.0, 0.0, x, y, 1.0, -x * q, -y * q, q],
        ];
        for row in rows {
            for i in 0..8 {
                for j in 0..9 {
                    matrix[i][j] += f64::from(weight) * row[i] * row[j];
                }
            }
        }
    }
    matrix[6][6] += flatness;
    matrix[7][7] += flatness;
    let [a, b, c, d, e, f, g, h] = solve(&mut matrix)?;
    let middle = Homography([a, b, c, d, e, f, g, h, 1.0]);
    let before = Homography([
        from_scale,
        0.0,
        -from_scale * f64::from(from.x),
        0.0,
        from_scale,
        -from_scale * f64::from(from.y),
        0.0,
        0.0,
        1.0,
    ]);
    let after = Homography([
        1.0 / to_scale,
        0.0,
        to.x.into(),
        0.0,
        1.0 / to_scale,
        to.y.into(),
        0.0,
        0.0,
        1.0,
    ]);
    Some(after.after(&middle.after(&before)))
}

fn normal(points: impl Iterator<Item = Point> + Clone) -> Option<(Point, f64)> {
    let count = points.clone().count().max(1) as f32;
    let centre = points.clone().fold(Point::default(), |a, b| a + b) * (1.0 / count);
    let spread = points.map(|p| p.distance(centre)).sum::<f32>() / count;
    (spread > 1e-6 && spread.is_finite()).then(|| (centre, 1.0 / f64::from(spread)))
}

/// Gaussian elimination with partial pivoting of eight equations.
fn solve(matrix: &mut [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot = (column..8)
            .max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        matrix.swap(column, pivot);
        if matrix[column][column].abs() < 1e-12 {
            return None;
        }
        let pivot = matrix[column];
        for row in &mut matrix[column + 1..] {
            let factor = row[column] / pivot[column];
            for (value, by) in row.iter_mut().zip(pivot).skip(column) {
                *value -= factor * by;
            }
        }
    }
    let mut solution = [0.0; 8];
    for row in (0..8).rev() {
        let known: f64 = (row + 1..8).map(|k| matrix[row][k] * solution[k]).sum();
        solution[row] = (matrix[row][8] - known) / matrix[row][row];
    }
    solution.iter().all(|v| v.is_finite()).then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Quad;

    #[test]
    fn a_known_homography_comes_back_and_flatness_makes_it_affine() {
        let quad = Quad([
            Point::new(100.0, 120.0),
            Point::new(400.0, 90.0),
            Point::new(380.0, 350.0),
            Point::new(80.0, 420.0),
        ]);
        let truth = Homography::from_unit_square(&quad).expect("regular");
        let pairs: Vec<Pair> = (0..25)
            .map(|i| {
                let (x, y) = (i as f32 % 5.0 / 4.0, (i / 5) as f32 / 4.0);
                (Point::new(x, y), truth.map(x.into(), y.into()), 1.0)
            })
            .collect();
        let found = fit(&pairs, 0.0).expect("spans the plane");
        for (from, to, _) in &pairs {
            assert!(found.map(from.x.into(), from.y.into()).distance(*to) < 0.01);
        }
        let flat = fit(&pairs, 1e9).expect("spans the plane").0;
        assert!(flat[6].abs() < 1e-3 * flat[8].abs());
        let line: Vec<Pair> = pairs
            .iter()
            .map(|p| (Point::new(p.0.x, 0.5), p.1, 1.0))
            .collect();
        assert!(fit(&line, 0.0).is_none());
        assert!(fit(&[], 0.0).is_none());
    }
}
