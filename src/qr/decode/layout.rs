//! Where everything stands in a symbol: function patterns with their colours,
//! format and version information, and the order of the data modules
//! (ISO/IEC 18004, 6.3, 7.7 and 7.8). One [`Layout`] for each version, made when
//! it is first asked for and kept.

use std::sync::OnceLock;

/// What a module is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleKind {
    /// Always dark: finder, timing and alignment patterns, and the lone dark module.
    Dark,
    /// Always light: finder, separator, timing and alignment patterns.
    Light,
    /// Format information.
    Format,
    /// Version information.
    Version,
    /// Data, parity or a remainder bit.
    Data,
}

/// The plan of one version.
#[derive(Debug)]
pub struct Layout {
    side: usize,
    kinds: Box<[ModuleKind]>,
    order: Box<[u16]>,
    flips: Box<[u8]>,
}

impl Layout {
    /// The plan of QR code version `version`; `None` unless it is 1 to 40.
    pub fn of(version: u8) -> Option<&'static Layout> {
        static LAYOUTS: [OnceLock<Layout>; 40] = [const { OnceLock::new() }; 40];
        let slot = LAYOUTS.get(usize::from(version).checked_sub(1)?)?;
        Some(slot.get_or_init(|| Layout::make(version)))
    }

    /// The plan of Micro QR code version M1 to M4; `None` unless it is 1 to 4.
    pub fn of_micro(version: u8) -> Option<&'static Layout> {
        static LAYOUTS: [OnceLock<Layout>; 4] = [const { OnceLock::new() }; 4];
        let slot = LAYOUTS.get(usize::from(version).checked_sub(1)?)?;
        Some(slot.get_or_init(|| Layout::make_micro(version)))
    }

    /// The plan of the QR code or Micro QR code with `side` modules a row; `None` if
    /// none has as many.
    pub fn of_side(side: usize) -> Option<&'static Layout> {
        match version_of(side) {
            Some(version) => Layout::of(version),
            None => Layout::of_micro(micro_version_of(side)?),
        }
    }

    /// Modules in a row.
    pub fn side(&self) -> usize {
        self.side
    }

    /// What the module in column `x`, row `y` is for. Panics outside the symbol.
    pub fn kind(&self, x: usize, y: usize) -> ModuleKind {
        self.kinds[y * self.side + x]
    }

    /// What each module is for, row by row.
    pub fn kinds(&self) -> &[ModuleKind] {
        &self.kinds
    }

    /// The data modules in the order of their bits, as indices row by row;
    /// remainder bits at the end (ISO/IEC 18004, 7.7.3).
    pub fn order(&self) -> &[u16] {
        &self.order
    }

    /// For each of [`Layout::order`], which data masks turn it over: bit `i` for
    /// pattern `i`.
    pub(super) fn flips(&self) -> &[u8] {
        &self.flips
    }

    fn make(version: u8) -> Layout {
        let side = side_of(version);
        let mut kinds = vec![ModuleKind::Data; side * side].into_boxed_slice();
        let mut put = |x: usize, y: usize, kind: ModuleKind| kinds[y * side + x] = kind;
        for i in 0..side {
            let kind = colour(i % 2 == 0);
            put(i, 6, kind);
            put(6, i, kind);
        }
        // Alignment patterns; those that would touch a finder pattern do not exist.
        let centres = alignment_centres(version);
        for (row, &cy) in centres.iter().enumerate() {
            for (column, &cx) in centres.iter().enumerate() {
                let last = centres.len() - 1;
                if (row == 0 && (column == 0 || column == last)) || (row == last && column == 0) {
                    continue;
                }
                for dy in 0..5usize {
                    for dx in 0..5usize {
                        let ring = dx.abs_diff(2).max(dy.abs_diff(2));
                        let (x, y) = (usize::from(cx) + dx - 2, usize::from(cy) + dy - 2);
                        put(x, y, colour(ring != 1));
                    }
                }
            }
        }
        for corner in [(0, 0), (side - 7, 0), (0, side - 7)] {
            finder(side, corner, &mut put);
        }
        for bit in 0..15 {
            for (x, y) in format_places(side, bit) {
                put(x, y, ModuleKind::Format);
            }
        }
        put(8, side - 8, ModuleKind::Dark);
        if version >= 7 {
            for bit in 0..18 {
                for (x, y) in version_places(side, bit) {
                    put(x, y, ModuleKind::Version);
                }
            }
        }
        Layout::with_places(side, kinds, zigzag(side, Some(6)))
    }

    /// A Micro QR code has one finder pattern, timing patterns along its upper and
    /// left edges, and one copy of the format information (6.3.2, 7.9.2).
    fn make_micro(version: u8) -> Layout {
        let side = micro_side_of(version);
        let mut kinds = vec![ModuleKind::Data; side * side].into_boxed_slice();
        let mut put = |x: usize, y: usize, kind: ModuleKind| kinds[y * side + x] = kind;
        for i in 0..side {
            put(i, 0, colour(i % 2 == 0));
            put(0, i, colour(i % 2 == 0));
        }
        finder(side, (0, 0), &mut put);
        for bit in 0..15 {
            let (x, y) = micro_format_place(bit);
            put(x, y, ModuleKind::Format);
        }
        Layout::with_places(side, kinds, zigzag(side, None))
    }

    /// `places` is the order in which modules are filled, those that are no data
    /// being passed over; `side` is how many there are in a row.
    pub(super) fn with_places(
        side: usize,
        kinds: Box<[ModuleKind]>,
        places: impl Iterator<Item = (usize, usize)> + Clone,
    ) -> Layout {
        let places = || {
            let places = places.clone();
            places.filter(|&(x, y)| kinds[y * side + x] == ModuleKind::Data)
        };
        let order = places().map(|(x, y)| (y * side + x) as u16).collect();
        let flips = places()
            .map(|(x, y)| {
                (0..8)
                    .map(|mask| u8::from(masked(mask, x, y)) << mask)
                    .sum()
            })
            .collect();
        Layout {
            side,
            kinds,
            order,
            flips,
        }
    }
}

/// A finder pattern at `corner`, with as much of its separator as is inside.
fn finder(
    side: usize,
    (left, top): (usize, usize),
    put: &mut impl FnMut(usize, usize, ModuleKind),
) {
    for y in top.saturating_sub(1)..(top + 8).min(side) {
        for x in left.saturating_sub(1)..(left + 8).min(side) {
            let ring = x.abs_diff(left + 3).max(y.abs_diff(top + 3));
            put(x, y, colour(ring != 2 && ring != 4));
        }
    }
}

fn colour(dark: bool) -> ModuleKind {
    if dark {
        ModuleKind::Dark
    } else {
        ModuleKind::Light
    }
}

/// All modules in the order of placement: two columns at a time from the right,
/// up and down in turn, `skip` being the column of a vertical timing pattern
/// that no pair includes (ISO/IEC 18004, 7.7.3).
fn zigzag(side: usize, skip: Option<usize>) -> impl Iterator<Item = (usize, usize)> + Clone {
    let columns = (0..side).rev().filter(move |&x| Some(x) != skip);
    let rights = columns.step_by(2).enumerate();
    rights.flat_map(move |(pair, right)| {
        (0..side).flat_map(move |step| {
            let y = if pair % 2 == 0 { side - 1 - step } else { step };
            let left = (right > 0).then(|| (right - 1, y));
            std::iter::once((right, y)).chain(left)
        })
    })
}

/// The same inside the timing patterns that run around an rMQR code (ISO/IEC
/// 23941, 7.7.3).
pub(super) fn zigzag_within(
    width: usize,
    height: usize,
) -> impl Iterator<Item = (usize, usize)> + Clone {
    let rights = (1..width - 1).rev().step_by(2).enumerate();
    rights.flat_map(move |(pair, right)| {
        (1..height - 1).flat_map(move |step| {
            let y = if pair % 2 == 0 {
                height - 1 - step
            } else {
                step
            };
            [(right, y), (right - 1, y)]
        })
    })
}

/// Modules in a row of QR code version `version`.
pub const fn side_of(version: u8) -> usize {
    17 + 4 * version as usize
}

/// The version with `side` modules in a row, if there is one.
pub fn version_of(side: usize) -> Option<u8> {
    let version = side.checked_sub(17)? / 4;
    ((1..=40).contains(&version) && side == 17 + 4 * version).then_some(version as u8)
}

/// Modules in a row of Micro QR code version M`version`.
pub const fn micro_side_of(version: u8) -> usize {
    9 + 2 * version as usize
}

/// The Micro QR code version with `side` modules in a row, if there is one.
pub fn micro_version_of(side: usize) -> Option<u8> {
    (1..=4).find(|&version| side == micro_side_of(version))
}

/// Rows and columns of the centres of the alignment patterns of `version`, in
/// modules from 0; empty for version 1 and for what is no version
/// (ISO/IEC 18004, annex E). A centre stands at each pair of them but the three
/// that finder patterns cover.
pub fn alignment_centres(version: u8) -> &'static [u8] {
    match ALIGNMENT.get(usize::from(version)) {
        Some((centres, count)) => &centres[..*count],
        None => &[],
    }
}

static ALIGNMENT: [([u8; 7], usize); 41] = {
    let mut table = [([0u8; 7], 0usize); 41];
    let mut version = 2;
    while version <= 40 {
        let count = version / 7 + 2;
        // Even steps from the far side, the first one making up the rest; the
        // standard's table departs from that rule for version 32 alone.
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

/// Columns and rows of bit `bit` (0 the least significant, 14 the most) of the
/// two copies of the format information (ISO/IEC 18004, 7.9.1).
pub fn format_places(side: usize, bit: usize) -> [(usize, usize); 2] {
    let first = match bit {
        0..=5 => (8, bit),
        6 | 7 => (8, bit + 1),
        8 => (7, 8),
        _ => (14 - bit, 8),
    };
    let second = if bit < 8 {
        (side - 1 - bit, 8)
    } else {
        (8, side - 15 + bit)
    };
    [first, second]
}

/// Column and row of bit `bit` (0 to 14) of a Micro QR code's format information
/// (ISO/IEC 18004, 7.9.2).
pub fn micro_format_place(bit: usize) -> (usize, usize) {
    if bit < 7 { (8, bit + 1) } else { (15 - bit, 8) }
}

/// Columns and rows of bit `bit` (0 to 17) of the two copies of the version
/// information (ISO/IEC 18004, 7.10): upper right, lower left.
pub fn version_places(side: usize, bit: usize) -> [(usize, usize); 2] {
    let (along, across) = (side - 11 + bit % 3, bit / 3);
    [(along, across), (across, along)]
}

/// The QR code's data mask pattern that is pattern `mask` (0 to 3) of Micro QR
/// codes (ISO/IEC 18004, table 10).
pub fn micro_mask(mask: u8) -> u8 {
    [1, 4, 6, 7][usize::from(mask & 3)]
}

/// Does data mask pattern `mask` (0 to 7) turn over the module in column `x`,
/// row `y`? (ISO/IEC 18004, table 10)
pub fn masked(mask: u8, x: usize, y: usize) -> bool {
    match mask {
        0 => (x + y).is_multiple_of(2),
        1 => y.is_multiple_of(2),
        2 => x.is_multiple_of(3),
        3 => (x + y).is_multiple_of(3),
        4 => (y / 2 + x / 3).is_multiple_of(2),
        5 => (x * y) % 2 + (x * y) % 3 == 0,
        6 => ((x * y) % 2 + (x * y) % 3).is_multiple_of(2),
        _ => ((x + y) % 2 + (x * y) % 3).is_multiple_of(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignment_centres_are_those_of_annex_e() {
        assert!(alignment_centres(1).is_empty());
        assert!(alignment_centres(0).is_empty() && alignment_centres(41).is_empty());
        assert_eq!(alignment_centres(2), [6, 18]);
        assert_eq!(alignment_centres(7), [6, 22, 38]);
        assert_eq!(alignment_centres(16), [6, 26, 50, 74]);
        assert_eq!(alignment_centres(32), [6, 34, 60, 86, 112, 138]);
        assert_eq!(alignment_centres(36), [6, 24, 50, 76, 102, 128, 154]);
        assert_eq!(alignment_centres(40), [6, 30, 58, 86, 114, 142, 170]);
    }

    #[test]
    fn function_patterns_stand_where_the_encoder_draws_them() {
        for version in 1..=40u8 {
            let layout = Layout::of(version).expect("a version");
            let code = qrcode::QrCode::with_version(
                b"7",
                qrcode::Version::Normal(version.into()),
                qrcode::EcLevel::L,
            )
            .expect("one digit fits");
            assert_eq!(code.width(), layout.side());
            for y in 0..layout.side() {
                for x in 0..layout.side() {
                    let kind = layout.kind(x, y);
                    let dark = code[(x, y)] == qrcode::Color::Dark;
                    // The encoder does not count version information.
                    let ours = !matches!(kind, ModuleKind::Data | ModuleKind::Version);
                    let place = format!("version {version} ({x}, {y})");
                    assert!(code.is_functional(x, y) == ours, "{place}");
                    match kind {
                        ModuleKind::Dark => assert!(dark, "{place}"),
                        ModuleKind::Light => assert!(!dark, "{place}"),
                        _ => {}
                    }
                }
            }
        }
        assert!(Layout::of(0).is_none() && Layout::of(41).is_none());
    }

    #[test]
    fn micro_symbols_have_room_for_their_codewords() {
        // ISO/IEC 18004, table 1: data modules of M1 to M4.
        for (version, modules) in [(1, 36), (2, 80), (3, 132), (4, 192)] {
            let layout = Layout::of_micro(version).expect("a version");
            assert_eq!(layout.order().len(), modules);
            assert_eq!(micro_version_of(layout.side()), Some(version));
            assert_eq!(layout.kind(8, 0), ModuleKind::Dark);
            assert_eq!(layout.kind(0, 9), ModuleKind::Light);
            assert_eq!(layout.kind(7, 7), ModuleKind::Light);
            assert_eq!(layout.kind(8, 8), ModuleKind::Format);
        }
        assert!(Layout::of_micro(0).is_none() && Layout::of_micro(5).is_none());
    }

    #[test]
    fn sides_and_versions() {
        assert_eq!(version_of(21), Some(1));
        assert_eq!(version_of(177), Some(40));
        assert_eq!(side_of(40), 177);
        for side in [0, 16, 18, 20, 22, 23, 178, 181] {
            assert_eq!(version_of(side), None);
            assert_eq!(micro_version_of(side), None);
        }
    }
}
