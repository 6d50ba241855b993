//! From three finder patterns to a grid, from a grid to modules.
//!
//! [`locate`](Locator) lays the grid: number of modules by the timing patterns,
//! perspective by the finder patterns and the alignment patterns. [`Samples`]
//! takes the grey value of each module and makes confidences of them.

mod alignment;
mod locate;
mod mesh;
mod sample;
mod solve;

pub use locate::{Grid, Locator};
pub use mesh::Mesh;
pub use sample::{Samples, Statistics};

/// Rows and columns of the centres of the alignment patterns (ISO/IEC 18004,
/// annex E).
fn alignment_centres(version: usize) -> &'static [u8] {
    match ALIGNMENT.get(version) {
        Some((centres, count)) => &centres[..*count],
        None => &[],
    }
}

static ALIGNMENT: [([u8; 7], usize); 41] = {
    let mut table = [([0u8; 7], 0usize); 41];
    let mut version = 2;
    while version <= 40 {
        let count = version / 7 + 2;
        let step = if version == 32 {
            26
        } else {
            (version * 4 + count * 2 + 1) / (count * 2 - 2) * 2
        };
        table[version].0[0] = 6;
        let mut i = 1;
        while i < count {
            table[version].0[i] = (10 + 4 * version - step * (count - 1 - i)) as u8;
            i += 1;
        }
        table[version].1 = count;
        version += 1;
    }
    table
};
