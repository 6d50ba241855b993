//! Least squares: the normal equations of a fit, solved (Cholesky).

/// The solution of symmetric, positive equations, of which the lower half is given.
pub fn solve<const N: usize>(mut m: [[f32; N]; N], mut v: [f32; N]) -> Option<[f32; N]> {
    for i in 0..N {
        for j in 0..=i {
            let sum: f32 = (0..j).map(|k| m[i][k] * m[j][k]).sum();
            let value = m[i][j] - sum;
            if i == j {
                if value.is_nan() || value <= 1e-6 {
                    return None;
                }
                m[i][i] = value.sqrt();
            } else {
                m[i][j] = value / m[j][j];
            }
        }
        let sum: f32 = (0..i).map(|k| m[i][k] * v[k]).sum();
        v[i] = (v[i] - sum) / m[i][i];
    }
    for i in (0..N).rev() {
        let sum: f32 = (i + 1..N).map(|k| m[k][i] * v[k]).sum();
        v[i] = (v[i] - sum) / m[i][i];
    }
    Some(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solution_solves_and_what_has_none_is_told() {
        let m = [[4.0, 0.0, 0.0], [2.0, 5.0, 0.0], [1.0, -1.0, 6.0]];
        let [x, y, z] = solve(m, [1.0, 2.0, 3.0]).expect("positive");
        for (row, value) in [
            (4.0 * x + 2.0 * y + z, 1.0),
            (2.0 * x + 5.0 * y - z, 2.0),
            (x - y + 6.0 * z, 3.0f32),
        ] {
            assert!((row - value).abs() < 1e-5);
        }
        assert!(solve([[1.0, 0.0], [2.0, 1.0]], [1.0, 1.0]).is_none());
        assert!(solve([[f32::NAN]], [1.0]).is_none());
    }
}
