//! Symbols of which not all three finder patterns were found.
//!
//! One finder pattern tells where the others can be: straight along its own
//! sides, 14 modules off and more, with modules of its size. There the picture
//! is compared with a finder pattern module by module, which still finds one
//! that is half torn or under glare. Where two are known and nothing is seen of
//! the third, it is supposed where the two say, and the grid is settled by all
//! else that is seen.

use super::{FAIRLY_CLEAR, Job, Kind, Proposal};
use crate::geometry::Point;
use crate::optics::Sampler;
use crate::qr::budget::Budget;
use crate::qr::finder::{FinderPattern, Triple};
use crate::qr::grid::Locator;
use crate::qr::trial::Supposed;

/// Most finder patterns that are followed in one frame.
const MOST: usize = 12;
/// Modules between the middles of finder patterns, from version 1 to …
const NEAREST: f32 = 13.0;
/// … version 10. Damage to a larger symbol seldom hides a pattern without more
/// than can be corrected.
const FARTHEST: f32 = 52.0;
/// Least agreement with a finder pattern, of 1.
const SEEN: f32 = 0.5;
/// Least alternation between two finder patterns, where their timing pattern must
/// be, for a third one to be looked for that is not seen yet …
const ALTERNATING: f32 = 0.25;
/// … where more than so many finder patterns are followed. The more there are that
/// no code explains, the more evidence each must have.
const FEW: usize = 3;
/// Triples that are tried about one finder pattern.
const MOST_TRIPLES: usize = 8;
/// What following a finder pattern costs, in units of work.
const COST: usize = 200_000;

/// Follows finder patterns to symbols.
#[derive(Default)]
pub struct Pairs {
    anchors: Vec<FinderPattern>,
    others: Vec<FinderPattern>,
    seen: Vec<Seen>,
    triples: Vec<Candidate>,
    /// How many were followed in this frame.
    followed: usize,
    /// Corner, right and down of triples that were tried in this frame.
    tried: Vec<[Point; 3]>,
}

/// A finder pattern that was seen from another one.
#[derive(Clone, Copy, Debug)]
struct Seen {
    pattern: FinderPattern,
    /// Agreement of 1; patterns that the sweep found have 1.
    score: f32,
    /// Side of the anchor on which it lies, clockwise from `u`; 4 and up: in the
    /// corner clockwise behind side 0 and up.
    side: usize,
}

/// Three finder patterns to be tried: at the corner, right, down.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    patterns: [FinderPattern; 3],
    supposed: Supposed,
    score: f32,
}

impl Kind for Pairs {
    fn propose(&mut self, job: &mut Job<'_, '_>, proposals: &mut Vec<Proposal>) {
        let Job { scene, reads, .. } = job;
        self.anchors.clear();
        self.others.clear();
        self.tried.clear();
        self.followed = 0;
        for (finder, used) in scene.sweep.found() {
            if used || reads.explain(finder.centre) {
                continue;
            }
            if finder.roughness < FAIRLY_CLEAR {
                self.anchors.push(*finder);
            }
            self.others.push(*finder);
        }
        self.anchors
            .sort_by(|a, b| a.roughness.total_cmp(&b.roughness));
        self.anchors.truncate(MOST);
        for (index, finder) in self.anchors.iter().enumerate() {
            let expected = scene
                .hints
                .iter()
                .any(|hint| hint.corners.contains(finder.centre));
            proposals.push(Proposal {
                index,
                centre: finder.centre,
                promise: if expected {
                    0.5
                } else {
                    (0.4 - finder.roughness).max(0.02)
                },
                cost: COST,
            });
        }
    }

    fn attempt(&mut self, proposal: &Proposal, job: &mut Job<'_, '_>) -> bool {
        let Some(&anchor) = self.anchors.get(proposal.index) else {
            return false;
        };
        let scene = job.scene;
        let Some(sampler) = scene.sweep.sampler(scene.luma, anchor.module) else {
            return false;
        };
        self.followed += 1;
        self.look_around(&anchor, &sampler, job.budget);
        self.suppose(&anchor, &sampler, job.budget);
        for candidate in &self.triples {
            if job.budget.is_spent() || job.reads.explain(anchor.centre) {
                return false;
            }
            let places = candidate.patterns.map(|pattern| pattern.centre);
            let again = |tried: &[Point; 3]| {
                let near = |(a, b): (&Point, &Point)| a.distance(*b) < 0.3 * anchor.module;
                tried.iter().zip(&places).all(near)
            };
            if self.tried.iter().any(again) {
                continue;
            }
            self.tried.push(places);
            let triple = Triple {
                corner: 0,
                right: 1,
                down: 2,
                side: candidate.supposed.side,
                cost: 0.0,
            };
            let locator = Locator::new(sampler, &candidate.patterns, &triple);
            let read = job.trial.settle_and_read(
                &locator,
                &sampler,
                candidate.supposed,
                scene.options,
                job.budget,
                job.reads,
            );
            if read.is_some() {
                return true;
            }
        }
        false
    }
}

impl Pairs {
    /// Finder patterns seen from `anchor`.
    fn look_around(&mut self, anchor: &FinderPattern, sampler: &Sampler<'_>, budget: &mut Budget) {
        self.seen.clear();
        let template = Template::new(sampler, anchor);
        for other in &self.others {
            if let Some(side) = known(anchor, other) {
                self.seen.push(Seen {
                    pattern: *other,
                    score: 1.0,
                    side,
                });
            }
        }
        let axes = [anchor.u, anchor.v, anchor.u * -1.0, anchor.v * -1.0];
        for side in 0..4 {
            let (along, across) = (axes[side], axes[(side + 1) % 4]);
            let first = self.seen.len();
            let mut far = NEAREST;
            while far < FARTHEST {
                let wide = 1.0 + 0.08 * far;
                let steps = (wide / Template::STEP) as i32;
                for step in -steps..=steps {
                    let aside = step as f32 * Template::STEP;
                    let at = anchor.centre + along * far + across * aside;
                    let score = template.glance(at);
                    if score < SEEN - 0.1 {
                        continue;
                    }
                    // Of near ones the best.
                    let near = self.seen[first..]
                        .iter_mut()
                        .find(|seen| seen.pattern.centre.distance(at) < 3.0 * anchor.module);
                    let new = Seen {
                        pattern: FinderPattern {
                            centre: at,
                            squareness: 0.0,
                            ..*anchor
                        },
                        score,
                        side,
                    };
                    match near {
                        Some(seen) if seen.score < score => *seen = new,
                        Some(_) => {}
                        None => self.seen.push(new),
                    }
                }
                budget.spend(2 * steps as usize * Template::UNITS);
                if budget.is_spent() {
                    return;
                }
                far += Template::STEP;
            }
            for seen in &mut self.seen[first..] {
                (seen.pattern.centre, seen.score) = template.climb(seen.pattern.centre);
            }
        }
        self.seen.retain(|seen| seen.score >= SEEN);
        // What the sweep found stands for itself.
        let mut kept = 0;
        for i in 0..self.seen.len() {
            let at = self.seen[i].pattern.centre;
            let again = self.seen[..kept]
                .iter()
                .any(|seen| seen.pattern.centre.distance(at) < 3.0 * anchor.module);
            if !again {
                self.seen.swap(kept, i);
                kept += 1;
            }
        }
        self.seen.truncate(kept);
        self.seen.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.seen.truncate(10);
    }

    /// Triples of the anchor, a pattern seen from it, and a third one that is
    /// looked for where the two say or supposed to be there.
    fn suppose(&mut self, anchor: &FinderPattern, sampler: &Sampler<'_>, budget: &mut Budget) {
        self.triples.clear();
        let template = Template::new(sampler, anchor);
        let axes = [anchor.u, anchor.v, anchor.u * -1.0, anchor.v * -1.0];
        for seen in &self.seen {
            if budget.is_spent() {
                return;
            }
            let other = &seen.pattern;
            let offset = other.centre - anchor.centre;
            let local = anchor.local(offset);
            if seen.side >= 4 {
                // Across: the corner is on either of two sides.
                let steps = (local.x.abs() + local.y.abs()) / 2.0;
                for at in [
                    anchor.centre + anchor.u * local.x,
                    anchor.centre + anchor.v * local.y,
                ] {
                    let third = template.find(at, 1.5 + 0.08 * steps);
                    budget.spend(200 * Template::UNITS);
                    let hidden = third.1 < SEEN;
                    let centre = if hidden { at } else { third.0 };
                    let score = seen.score + if hidden { 0.3 } else { third.1 };
                    let corner = FinderPattern {
                        centre,
                        squareness: 0.0,
                        ..*anchor
                    };
                    let patterns = ordered(corner, *anchor, *other);
                    self.triples.push(Candidate {
                        patterns,
                        supposed: Supposed {
                            side: steps + 7.0,
                            hidden: hidden.then_some(0),
                        },
                        score,
                    });
                }
                continue;
            }
            let modules = offset.length() / axes[seen.side].length();
            for turn in [1, 3] {
                let across = axes[(seen.side + turn) % 4];
                let timed = template.alternation(anchor.centre, other.centre, across, modules);
                budget.spend(2 * modules as usize);
                for (corner, arm) in [(anchor, other), (other, anchor)] {
                    let at = corner.centre + across * modules;
                    let reach = 1.5 + 0.08 * modules;
                    let third = if timed >= ALTERNATING || self.followed <= FEW {
                        budget.spend(200 * Template::UNITS);
                        template.find(at, reach)
                    } else {
                        // Torn: it takes three patterns that are seen.
                        let reach = (reach + 1.0) * anchor.module;
                        let near = |seen: &&Seen| seen.pattern.centre.distance(at) < reach;
                        let Some(third) = self.seen.iter().find(near) else {
                            continue;
                        };
                        (third.pattern.centre, third.score)
                    };
                    let hidden = third.1 < SEEN;
                    let centre = if hidden { at } else { third.0 };
                    let score = seen.score + if hidden { 0.2 } else { third.1 };
                    let new = FinderPattern {
                        centre,
                        squareness: 0.0,
                        ..*anchor
                    };
                    let patterns = ordered(*corner, *arm, new);
                    let place = patterns[1..].iter().position(|p| p.centre == centre);
                    self.triples.push(Candidate {
                        patterns,
                        supposed: Supposed {
                            side: modules + 7.0,
                            hidden: place.filter(|_| hidden).map(|i| i + 1),
                        },
                        score,
                    });
                }
            }
        }
        self.triples.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.triples.truncate(MOST_TRIPLES);
    }
}

/// Corner, right, down, whichever of the two arms is which.
fn ordered(corner: FinderPattern, one: FinderPattern, other: FinderPattern) -> [FinderPattern; 3] {
    let along = one.centre - corner.centre;
    let aside = other.centre - corner.centre;
    if along.cross(aside) > 0.0 {
        [corner, one, other]
    } else {
        [corner, other, one]
    }
}

/// On which side of `anchor` does a pattern lie that may be of the same symbol?
fn known(anchor: &FinderPattern, other: &FinderPattern) -> Option<usize> {
    if anchor.inverted != other.inverted
        || anchor.module > 1.6 * other.module
        || other.module > 1.6 * anchor.module
    {
        return None;
    }
    let local = anchor.local(other.centre - anchor.centre);
    let (x, y) = (local.x.abs(), local.y.abs());
    let (least, most) = (x.min(y), x.max(y));
    if !(NEAREST..FARTHEST).contains(&most) {
        return None;
    }
    if least < 0.15 * most {
        Some(if x > y {
            if local.x > 0.0 { 0 } else { 2 }
        } else if local.y > 0.0 {
            1
        } else {
            3
        })
    } else {
        (least > 0.8 * most).then_some(4)
    }
}

/// A finder pattern to compare places of the picture with.
struct Template<'a> {
    sampler: &'a Sampler<'a>,
    u: Point,
    v: Point,
    inverted: bool,
    middle: f32,
    scale: f32,
    /// Are modules so small that single pixels tell too little of them?
    fine: bool,
}

impl<'a> Template<'a> {
    /// Modules between places that are compared.
    const STEP: f32 = 0.7;
    /// Cost of a comparison in units of work.
    const UNITS: usize = 70;

    fn new(sampler: &'a Sampler<'a>, like: &FinderPattern) -> Self {
        Self {
            sampler,
            u: like.u,
            v: like.v,
            inverted: like.inverted,
            middle: (like.dark + like.light) / 2.0,
            scale: 2.0 / (like.light - like.dark).max(1.0),
            fine: like.module < 2.5 * sampler.pixel(),
        }
    }

    /// Agreement of 33 modules of the pattern about `at` and its separator: 1 is
    /// perfect, 0 is chance.
    fn score(&self, at: Point) -> f32 {
        self.agreement(at, |at| self.sampler.at(at.x, at.y))
    }

    /// The same, cheaper and rougher, to compare many places. Where the middle of the
    /// core is light it is none.
    fn glance(&self, at: Point) -> f32 {
        if self.dark(self.sampler.near(at.x, at.y)) < -0.5 {
            return 0.0;
        }
        if self.fine {
            self.score(at)
        } else {
            self.agreement(at, |at| self.sampler.near(at.x, at.y))
        }
    }

    /// From light, -1, to dark, 1.
    fn dark(&self, grey: f32) -> f32 {
        let grey = if self.inverted { 255.0 - grey } else { grey };
        ((self.middle - grey) * self.scale).clamp(-1.0, 1.0)
    }

    fn agreement(&self, at: Point, value: impl Fn(Point) -> f32) -> f32 {
        let dark = |x: f32, y: f32| self.dark(value(at + self.u * x + self.v * y));
        let ring = |r: f32| {
            let mut sum = 0.0;
            for (x, y) in [(r, 0.0), (0.0, r), (-r, 0.0), (0.0, -r)] {
                sum += dark(x, y);
            }
            for (x, y) in [(r, r), (-r, r), (-r, -r), (r, -r)] {
                sum += dark(x, y);
            }
            sum / 8.0
        };
        // The core and the light ring are most of it: look no further where
        // they are not.
        let (core, light) = (ring(1.0), -ring(2.0));
        if core + light < 0.5 {
            return (core + light) / 4.0;
        }
        let (outer, separator) = (ring(3.0), -ring(4.0));
        (core + light + outer + separator) / 4.0
    }

    /// How well modules alternate between two patterns that lie `modules` apart, where
    /// the timing pattern is if the symbol lies `across`: 1 is perfect, 0 is chance.
    fn alternation(&self, from: Point, to: Point, across: Point, modules: f32) -> f32 {
        let step = (to - from) * (1.0 / modules.max(1.0));
        let count = modules.round() as usize;
        let at = |i: usize| {
            let place = from + step * i as f32 + across * 3.0;
            let grey = self.sampler.at(place.x, place.y);
            if self.inverted { 255.0 - grey } else { grey }
        };
        // The separators are light; dark and light follow in turn.
        let (mut sum, mut used) = (0.0, 0.0);
        let (mut before, mut here) = (at(4), at(5));
        for i in 5..count.saturating_sub(4) {
            let after = at(i + 1);
            let dark = (((before + after) / 2.0 - here) * self.scale).clamp(-1.0, 1.0);
            sum += if i % 2 == 1 { dark } else { -dark };
            used += 1.0;
            (before, here) = (here, after);
        }
        sum / f32::max(used, 1.0)
    }

    /// The best place about `at`, at most `reach` modules off along each axis,
    /// and how well it agrees.
    fn find(&self, at: Point, reach: f32) -> (Point, f32) {
        let steps = (reach / Self::STEP) as i32;
        let mut best = (at, f32::MIN);
        for y in -steps..=steps {
            for x in -steps..=steps {
                let by = |n: i32| n as f32 * Self::STEP;
                let place = at + self.u * by(x) + self.v * by(y);
                let score = self.glance(place);
                if score > best.1 {
                    best = (place, score);
                }
            }
        }
        self.climb(best.0)
    }

    /// From a place uphill.
    fn climb(&self, at: Point) -> (Point, f32) {
        let mut best = (at, self.score(at));
        for step in [0.4, 0.2, 0.1] {
            for _ in 0..2 {
                for (x, y) in [(step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)] {
                    let place = best.0 + self.u * x + self.v * y;
                    let score = self.score(place);
                    if score > best.1 {
                        best = (place, score);
                    }
                }
            }
        }
        best
    }
}
