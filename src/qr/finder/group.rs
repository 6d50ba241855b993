//! Three finder patterns of one symbol, by geometry.
//!
//! Each finder pattern tells the directions of its sides and the size of its
//! modules, so a partner can only lie straight along one of its sides, see it
//! along one of its own, and agree on how many modules lie between. Only the
//! few best partners on each side are kept: the number of triples grows with
//! the finder patterns, not with their cube.

use super::FinderPattern;
use crate::geometry::Point;
use crate::qr::budget::Budget;

/// Partners kept on each of the four sides of a finder pattern.
const PARTNERS: usize = 5;
/// What comparing two finder patterns costs, in units of work.
const UNITS_PER_COMPARISON: usize = 8;
/// Least and most modules between the middles of two finder patterns
/// (versions 1 and 40 have 14 and 170), with room for error and, since each end
/// sees it by its own scale, for perspective.
const LEGS: std::ops::Range<f32> = 8.0..260.0;
/// A finder pattern less square than this is drawn with round rings, or so blurred
/// that it does not tell where its sides are.
const ROUND: f32 = 0.3;
/// Most that modules of one symbol may differ in size.
const MOST_RATIO: f32 = 3.5;
/// By how much more, in logarithms, two ends differ in the number of modules that
/// they see between them than in the size of their modules: 4/3 by perspective
/// (sizes fall with the distance as its power of 3/2, steps along the leg as its
/// square), 2 on a cylinder.
const SEEN_PER_SIZE: f32 = 1.5;

/// What three finder patterns of one symbol may look like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Most that a partner may lie off a side's direction, as a tangent.
    askew: f32,
    /// Most that the two legs may differ in modules, in logarithms.
    differ: f32,
    /// Triples less plausible than this are dropped.
    cost: f32,
}

/// Of a flat symbol: by perspective alone the two counts of modules, each the mean
/// of both ends, hardly differ; blur and damage make them differ more.
pub const FLAT: Shape = Shape {
    askew: 0.45,
    differ: 0.35,
    cost: 2.6,
};
/// Of one around a cylinder: the patterns at both ends of a leg may point away from
/// each other, by up to half the angle that the leg takes.
pub const BENT: Shape = Shape {
    askew: 1.0,
    differ: 1.0,
    cost: 6.0,
};

/// The three finder patterns of a symbol, as indices; at the middle of each.
#[derive(Clone, Copy, Debug)]
pub struct Triple {
    /// Upper left of a symbol that is not mirrored: the corner of the L.
    pub corner: u16,
    /// Upper right: the leg that is followed clockwise on the screen by the other.
    pub right: u16,
    /// Lower left.
    pub down: u16,
    /// Modules a side, as far as sizes and distances tell.
    pub side: f32,
    /// How implausible: 0 is perfect.
    pub cost: f32,
}

#[derive(Clone, Copy, Debug)]
struct Partner {
    index: u16,
    modules: f32,
    cost: f32,
}

/// Triples of a frame, and the memory that finding them needs.
#[derive(Debug, Default)]
pub struct Grouping {
    partners: Vec<[[Option<Partner>; PARTNERS]; 4]>,
    order: Vec<u16>,
    triples: Vec<Triple>,
}

impl Grouping {
    /// The triples of this `shape` among those `finders` (at most 65536) that are
    /// `wanted`, most plausible first, at most `most` of them.
    pub fn group(
        &mut self,
        finders: &[FinderPattern],
        wanted: impl Fn(usize) -> bool,
        shape: &Shape,
        most: usize,
        budget: &mut Budget,
    ) -> &[Triple] {
        self.triples.clear();
        self.find_partners(finders, wanted, shape, budget);
        for (corner, sides) in self.partners.iter().enumerate() {
            for side in 0..4 {
                for right in sides[side].iter().flatten() {
                    for down in sides[(side + 1) % 4].iter().flatten() {
                        if let Some(triple) = triple(finders, shape, corner, right, down) {
                            self.triples.push(triple);
                        }
                    }
                }
            }
        }
        self.triples
            .sort_unstable_by(|a, b| a.cost.total_cmp(&b.cost));
        self.triples.truncate(most);
        &self.triples
    }

    /// For each finder pattern the best partners on its four sides. Sorted by x,
    /// so that only those within reach are compared.
    fn find_partners(
        &mut self,
        finders: &[FinderPattern],
        wanted: impl Fn(usize) -> bool,
        shape: &Shape,
        budget: &mut Budget,
    ) {
        self.partners.clear();
        self.partners.resize(finders.len(), [[None; PARTNERS]; 4]);
        self.order.clear();
        let all = 0..finders.len().min(usize::from(u16::MAX)) as u16;
        self.order
            .extend(all.filter(|&index| wanted(usize::from(index))));
        let x = |index: &u16| finders[usize::from(*index)].centre.x;
        self.order.sort_unstable_by(|a, b| x(a).total_cmp(&x(b)));
        for (at, &i) in self.order.iter().enumerate() {
            if budget.is_spent() {
                break;
            }
            let one = &finders[usize::from(i)];
            let reach = one.module * LEGS.end * 2.0;
            for &j in &self.order[at + 1..] {
                budget.spend(UNITS_PER_COMPARISON);
                let other = &finders[usize::from(j)];
                if other.centre.x - one.centre.x > reach {
                    break;
                }
                if one.inverted != other.inverted
                    || one.module > MOST_RATIO * other.module
                    || other.module > MOST_RATIO * one.module
                {
                    continue;
                }
                let (Some((here, near)), Some((there, far))) =
                    (seen(one, other, shape), seen(other, one, shape))
                else {
                    continue;
                };
                // Seen from either end by its own scale, a leg of n modules has
                // n q and n / q of them: the mean is free of perspective.
                let modules = (near.modules * far.modules).sqrt();
                let seen = (near.modules / far.modules).ln();
                let sizes = (other.module / one.module).ln();
                let cost = near.askew.max(far.askew)
                    + 0.6 * seen.abs()
                    + (seen - SEEN_PER_SIZE * sizes).abs();
                for (of, side, index) in [(i, here, j), (j, there, i)] {
                    keep(
                        &mut self.partners[usize::from(of)][side],
                        Partner {
                            index,
                            modules,
                            cost,
                        },
                    );
                }
            }
        }
    }
}

struct Sight {
    modules: f32,
    askew: f32,
}

/// On which side of `one` does `other` lie, how many modules away, how far off
/// the straight?
fn seen(one: &FinderPattern, other: &FinderPattern, shape: &Shape) -> Option<(usize, Sight)> {
    let offset = other.centre - one.centre;
    let local = one.local(offset);
    let round = one.squareness < ROUND;
    let (side, modules, across) = if local.x.abs() >= local.y.abs() {
        (if local.x > 0.0 { 0 } else { 2 }, local.x.abs(), local.y)
    } else {
        (if local.y > 0.0 { 1 } else { 3 }, local.y.abs(), local.x)
    };
    let (modules, askew) = if round {
        // It has no sides to lie along.
        (local.length(), 0.0)
    } else {
        (modules, across.abs() / modules.max(1e-6))
    };
    (LEGS.contains(&modules) && askew < shape.askew).then_some((side, Sight { modules, askew }))
}

/// Near ones win over distant ones of the same quality: finder patterns of the
/// next symbol lie behind those of this one.
fn rank(partner: &Partner) -> f32 {
    partner.cost + partner.modules * 0.0015
}

fn keep(partners: &mut [Option<Partner>; PARTNERS], new: Partner) {
    let place = partners
        .iter()
        .position(|kept| kept.as_ref().is_none_or(|kept| rank(&new) < rank(kept)));
    if let Some(place) = place {
        partners[place..].rotate_right(1);
        partners[place] = Some(new);
    }
}

fn triple(
    finders: &[FinderPattern],
    shape: &Shape,
    corner: usize,
    right: &Partner,
    down: &Partner,
) -> Option<Triple> {
    let at = |index: usize| finders[index].centre;
    let along: Point = at(right.index.into()) - at(corner);
    let aside: Point = at(down.index.into()) - at(corner);
    let lengths = along.length() * aside.length();
    let cosine = along.dot(aside) / lengths;
    if cosine.abs() > 0.9 || along.cross(aside) <= 0.0 {
        return None;
    }
    let differ = (right.modules / down.modules).ln().abs();
    if differ > shape.differ {
        return None;
    }
    let side = (right.modules + down.modules) / 2.0 + 7.0;
    let rough = |index: usize| finders[index].roughness;
    let roughness = rough(corner) + rough(right.index.into()) + rough(down.index.into());
    let cost = roughness + rank(right) + rank(down) + 3.0 * differ + 0.5 * cosine.abs();
    (cost < shape.cost).then_some(Triple {
        corner: corner as u16,
        right: right.index,
        down: down.index,
        side,
        cost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder(x: f32, y: f32, module: f32, degrees: f32) -> FinderPattern {
        let (sin, cos) = degrees.to_radians().sin_cos();
        FinderPattern {
            centre: Point::new(x, y),
            u: Point::new(module * cos, module * sin),
            v: Point::new(-module * sin, module * cos),
            module,
            inverted: false,
            dark: 20.0,
            light: 220.0,
            edge: 1.0,
            squareness: 1.0,
            roughness: 0.0,
        }
    }

    #[test]
    fn a_symbol_is_grouped_at_any_angle_whatever_quarter_its_finders_tell() {
        for degrees in (0..360).step_by(15) {
            let (sin, cos) = (degrees as f32).to_radians().sin_cos();
            let at = |x: f32, y: f32, turn: f32| {
                finder(
                    300.0 + x * cos - y * sin,
                    300.0 + x * sin + y * cos,
                    3.0,
                    degrees as f32 + turn,
                )
            };
            let finders = [at(0.0, 54.0, 90.0), at(54.0, 0.0, 180.0), at(0.0, 0.0, 0.0)];
            let mut grouping = Grouping::default();
            let best = grouping.group(&finders, |_| true, &FLAT, 10, &mut Budget::default())[0];
            assert_eq!((best.corner, best.right, best.down), (2, 1, 0));
            assert!((best.side - 25.0).abs() < 0.01);
            assert!(best.cost < 0.2);
        }
    }

    #[test]
    fn finder_patterns_that_point_away_from_each_other_are_grouped_as_bent_alone() {
        // The right one is turned by 55° and seen from the side: a symbol whose rows
        // run around a cylinder.
        let mut right = finder(180.0, 150.0, 3.0, 55.0);
        right.u = right.u * 0.6;
        right.module *= 0.6f32.sqrt();
        let finders = [
            finder(100.0, 100.0, 3.0, -5.0),
            right,
            finder(95.0, 190.0, 3.0, -5.0),
        ];
        let grouped = |shape: &Shape, wanted: fn(usize) -> bool| {
            let mut grouping = Grouping::default();
            let triples = grouping.group(&finders, wanted, shape, 9, &mut Budget::default());
            let wanted = |triple: &Triple| (triple.corner, triple.right, triple.down) == (0, 1, 2);
            triples.iter().any(wanted)
        };
        assert!(grouped(&BENT, |_| true));
        assert!(!grouped(&FLAT, |_| true));
        assert!(!grouped(&BENT, |index| index != 1));
    }

    #[test]
    fn of_a_dense_sheet_the_best_triples_are_the_symbols() {
        // 8 by 8 symbols of 25 modules, 8 modules apart.
        let mut finders = Vec::new();
        for row in 0..8 {
            for column in 0..8 {
                let (x, y) = (column as f32 * 99.0 + 20.0, row as f32 * 99.0 + 20.0);
                for (dx, dy) in [(0.0, 0.0), (54.0, 0.0), (0.0, 54.0)] {
                    finders.push(finder(x + dx, y + dy, 3.0, 0.0));
                }
            }
        }
        let mut grouping = Grouping::default();
        let triples = grouping.group(&finders, |_| true, &FLAT, 100_000, &mut Budget::default());
        assert!(triples.len() <= finders.len() * 4 * PARTNERS * PARTNERS);
        for symbol in 0..64u16 {
            assert!(triples.iter().any(|t| {
                (t.corner, t.right, t.down) == (3 * symbol, 3 * symbol + 1, 3 * symbol + 2)
            }));
        }
    }
}
