//! Micro QR codes: one finder pattern, timing patterns along the two edges that
//! meet in it (ISO/IEC 18004, 6.3.2).
//!
//! Every finder pattern that no code explains is tried as the corner of one, four
//! ways round. Two timing patterns of one length that go out from it are the
//! sign; there is little else, and the smallest versions detect errors at best.
//! So a symbol has to be right in all that it has in common with every other:
//! see [`Bounds`].

use super::rmqr::Strips;
use super::{Job, Kind, Proposal};
use crate::geometry::{Homography, Point, Quad};
use crate::qr::decode::{Layout, ModuleKind, micro_format_place, micro_version_of, micro_word};
use crate::qr::finder::FinderPattern;
use crate::qr::grid::{Corner, Grid, Mesh, Statistics, Timing};
use crate::qr::trial::UNITS_PER_MODULE;
use crate::qr::{Code, Modules, Unread};

/// Most finder patterns that are tried in one frame: together with [`Bounds`]
/// this keeps false reads below one in 10^10 frames.
const MOST: usize = 64;
/// Where the first look left no more finder patterns than this, they are tried
/// before a second look: that costs less than the look.
const FEW: usize = 4;
/// Units of work for following timing patterns four ways.
const FOLLOWING: usize = 1500;
/// Distance outside the symbol at which the quiet zone is looked at, in modules.
/// It should be two wide; many print one.
const QUIET: f32 = 0.7;

/// How much of what is fixed in a symbol may be wrong, by version: M1 to M4.
///
/// Chance gives the format information of some version, within the wrong bits
/// allowed, in 2.4e-4, 7.8e-3, 7.8e-3 and 0.09 of all cases, the timing patterns
/// in 1.6e-2, 1.1e-2, 6.5e-3 and 3.8e-3, error correction in at most 1.5e-5, 2e-8,
/// 6e-7 and 1e-7, a quiet zone on the two sides away from the finder pattern in
/// less than 1e-3 (it has 23 modules and more). All four together: less than
/// 6e-14 an attempt in each version, of which a frame makes less than a thousand.
struct Bounds {
    /// Wrong bits of the format information, of 15.
    format: usize,
    /// Wrong modules of both timing patterns, of 6, 10, 14 and 18.
    timing: usize,
    /// Dark places of the quiet zone, of all those around the symbol.
    quiet: usize,
    /// Wrong modules of finder pattern and separator, of 64.
    finder: usize,
    /// Risk of a miscorrection.
    risk: f64,
}

/// Of these, what all but error correction come to, at most.
const CHANCE: f64 = 4e-7;

const BOUNDS: [Bounds; 4] = [
    Bounds {
        format: 0,
        timing: 0,
        quiet: 0,
        finder: 1,
        risk: 1.6e-5,
    },
    Bounds {
        format: 1,
        timing: 1,
        quiet: 3,
        finder: 3,
        risk: 2e-8,
    },
    Bounds {
        format: 1,
        timing: 2,
        quiet: 5,
        finder: 5,
        risk: 6e-7,
    },
    Bounds {
        format: 2,
        timing: 3,
        quiet: 6,
        finder: 5,
        risk: 1e-7,
    },
];

/// Finder patterns that may be the corner of a Micro QR code.
#[derive(Default)]
pub struct Micro {
    candidates: Vec<(usize, FinderPattern)>,
    /// Those of this frame that were tried before the others were looked for.
    early: [Option<Point>; FEW],
    strips: Strips,
}

impl Micro {
    /// Tries the finder patterns of the first look, where there are so few that it
    /// costs little, and notes them.
    pub fn try_early(&mut self, job: &mut Job<'_, '_>) {
        self.early = [None; FEW];
        if !job.scene.options.micro {
            return;
        }
        self.candidates.clear();
        let found = job.scene.sweep.found().enumerate();
        let left = found.filter(|(_, (finder, used))| !used && !job.reads.explain(finder.centre));
        let left = left.map(|(index, (finder, _))| (index, *finder));
        self.candidates.extend(left.take(FEW + 1));
        if self.candidates.len() > FEW {
            return;
        }
        for index in 0..self.candidates.len() {
            let centre = self.candidates[index].1.centre;
            if job.budget.is_spent() || job.reads.codes.len() >= job.scene.options.max_codes {
                return;
            }
            if job.reads.explain(centre) {
                continue;
            }
            self.early[index] = Some(centre);
            let before = job.budget.spent();
            self.follow(index, job);
            let tried = &mut job.reads.work.corners;
            tried.times += 1;
            tried.units += job.budget.spent() - before;
        }
    }
}

impl Kind for Micro {
    fn propose(&mut self, job: &mut Job<'_, '_>, proposals: &mut Vec<Proposal>) {
        let Job { scene, reads, .. } = job;
        if !scene.options.micro {
            return;
        }
        self.candidates.clear();
        for (index, (finder, used)) in scene.sweep.found().enumerate() {
            let early = self.early.contains(&Some(finder.centre));
            if !used && !early && !reads.explain(finder.centre) {
                self.candidates.push((index, *finder));
            }
        }
        if self.candidates.len() > MOST {
            let smooth = |one: &(usize, FinderPattern)| one.1.roughness;
            self.candidates
                .sort_unstable_by(|a, b| smooth(a).total_cmp(&smooth(b)).then(a.0.cmp(&b.0)));
            self.candidates.truncate(MOST);
        }
        for (index, (_, finder)) in self.candidates.iter().enumerate() {
            let located = |unread: &Unread| unread.corners.contains(finder.centre);
            let promise = if reads.unread.iter().any(located) {
                0.02
            } else if finder.roughness < 0.15 {
                0.3
            } else {
                0.1
            };
            proposals.push(Proposal {
                index,
                centre: finder.centre,
                promise,
                cost: FOLLOWING,
            });
        }
    }

    fn attempt(&mut self, proposal: &Proposal, job: &mut Job<'_, '_>) -> bool {
        self.follow(proposal.index, job)
    }
}

impl Micro {
    /// Tries the finder pattern of candidate `index` all ways round.
    fn follow(&mut self, index: usize, job: &mut Job<'_, '_>) -> bool {
        let Some((_, finder)) = self.candidates.get(index) else {
            return false;
        };
        let scene = job.scene;
        let Some(sampler) = scene.sweep.sampler(scene.luma, finder.module) else {
            return false;
        };
        job.budget.spend(FOLLOWING);
        for quarter in 0..4 {
            let corner = Corner::new(sampler, finder, quarter);
            let Some(upper) = corner.upper() else {
                continue;
            };
            let Some(left) = corner.left() else {
                continue;
            };
            let mut attempt = Attempt { corner, job };
            if attempt.read(&upper, &left) {
                return true;
            }
        }
        self.strips.attempt(finder, sampler, job)
    }
}

/// A finder pattern with timing patterns to its right and below.
struct Attempt<'a, 'b, 'c> {
    corner: Corner<'a>,
    job: &'a mut Job<'b, 'c>,
}

impl Attempt<'_, '_, '_> {
    /// Reads the symbol if it can.
    fn read(&mut self, upper: &Timing, left: &Timing) -> bool {
        for side in sides(upper, left) {
            if self.job.budget.is_spent() {
                return false;
            }
            let (Some(mut grid), Some(bounds)) = (
                self.corner.grid(side, upper, left),
                BOUNDS.get((side - 11) / 2),
            ) else {
                continue;
            };
            if !is_whole(&grid, &self.corner) {
                continue;
            }
            let mut dark = dark_around(&grid, &self.corner);
            // With the wrong side half of the places lie in the symbol.
            if dark > side / 2 {
                continue;
            }
            let mut seen = None;
            if dark <= bounds.quiet {
                let (read, statistics) = self.sample(&grid);
                if read {
                    return true;
                }
                seen = Some(statistics);
            }
            self.job.budget.spend(polish(&mut grid, &self.corner));
            dark = dark_around(&grid, &self.corner);
            if dark <= bounds.quiet {
                let (read, statistics) = self.sample(&grid);
                if read {
                    return true;
                }
                seen = Some(statistics);
            }
            // Fourteen modules in turn dark and light, a quiet zone around.
            if let Some(statistics) = seen
                && side >= 15
                && upper.length == side
                && left.length == side
            {
                let sampler = self.corner.sampler();
                let reads = &mut *self.job.reads;
                self.job
                    .trial
                    .note_unread(&grid, sampler, &statistics, reads);
            }
        }
        false
    }

    fn sample(&mut self, grid: &Grid) -> (bool, Statistics) {
        self.job
            .budget
            .spend(UNITS_PER_MODULE * grid.side * grid.side);
        let sampler = self.corner.sampler();
        let job = &mut *self.job;
        job.trial
            .read_if(grid, sampler, job.scene.options, job.reads, vouched, CHANCE)
    }
}

/// Sides that two timing patterns may stand for, the likelier ones first: where
/// they agree, that one; where not, either has been lost early or followed into
/// what lies beyond the symbol.
fn sides(upper: &Timing, left: &Timing) -> impl Iterator<Item = usize> + use<> {
    let (long, short) = (upper.length.max(left.length), upper.length.min(left.length));
    let others = [15, 13, 11]
        .into_iter()
        .filter(move |&side| side < long && side != short);
    [short, long]
        .into_iter()
        .take(if short == long { 1 } else { 2 })
        .chain(others)
        .filter(|&side| micro_version_of(side).is_some())
}

/// Does all of the symbol lie in the picture, but for half a module?
fn is_whole(grid: &Grid, corner: &Corner<'_>) -> bool {
    let (near, far) = (0.5, grid.side as f32 - 0.5);
    [(near, near), (far, near), (far, far), (near, far)]
        .into_iter()
        .all(|(x, y)| corner.contains(grid.mesh.map(x, y)))
}

/// Dark places in the quiet zone around a symbol. Beyond the rim of the picture
/// there are none.
fn dark_around(grid: &Grid, corner: &Corner<'_>) -> usize {
    let (near, far) = (-QUIET, grid.side as f32 + QUIET);
    let middle = corner.middle();
    (0..=grid.side)
        .map(|i| {
            let at = i as f32 + if i < grid.side { 0.5 } else { QUIET };
            [(at, near), (at, far), (near, at), (far, at)]
                .into_iter()
                .filter(|&(x, y)| {
                    let at = grid.mesh.map(x, y);
                    corner.contains(at) && corner.value(at) < middle
                })
                .count()
        })
        .sum()
}

/// Does what is fixed in a symbol vouch for it? `modules` are as sampled, rows
/// and columns exchanged if the symbol is mirrored.
fn vouched(modules: &Modules, code: &Code, risk: f64) -> bool {
    let Some(version) = micro_version_of(modules.side()) else {
        return false;
    };
    let bounds = &BOUNDS[usize::from(version - 1)];
    let (Some(layout), Some(word)) = (
        Layout::of_micro(version),
        micro_word(version, code.level, code.mask),
    ) else {
        return false;
    };
    let format = (0..15)
        .filter(|&bit| {
            let (x, y) = micro_format_place(bit);
            let (x, y) = if code.mirrored { (y, x) } else { (x, y) };
            modules.dark(x, y) != (word >> bit & 1 == 1)
        })
        .count();
    let (mut timing, mut finder) = (0, 0);
    for y in 0..modules.side() {
        for x in 0..modules.side() {
            let wrong = match layout.kind(x, y) {
                ModuleKind::Dark => !modules.dark(x, y),
                ModuleKind::Light => modules.dark(x, y),
                _ => false,
            };
            if x < 8 && y < 8 {
                finder += usize::from(wrong);
            } else {
                timing += usize::from(wrong);
            }
        }
    }
    format <= bounds.format
        && timing <= bounds.timing
        && finder <= bounds.finder
        && risk <= bounds.risk
        && !code.content.bytes.is_empty()
}

/// Moves the corners of a grid, the one in the finder pattern excepted, to where
/// modules are most distinct. Gives the units of work that it took.
fn polish(grid: &mut Grid, corner: &Corner<'_>) -> usize {
    let Some(layout) = micro_version_of(grid.side).and_then(Layout::of_micro) else {
        return 0;
    };
    let mut best = (grid.corners(), distinctness(grid, layout, corner));
    let mut tried = 1;
    let module = grid.module;
    for step in [0.3, 0.3, 0.15, 0.15, 0.07] {
        for at in [2, 1, 3] {
            for (dx, dy) in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)] {
                let mut corners = best.0;
                corners.0[at] = corners.0[at] + Point::new(dx, dy) * (step * module);
                let Some(mesh) = stretched(grid.side, &corners) else {
                    continue;
                };
                grid.mesh = mesh;
                let score = distinctness(grid, layout, corner);
                tried += 1;
                if score > best.1 {
                    best = (corners, score);
                }
            }
        }
    }
    if let Some(mesh) = stretched(grid.side, &best.0) {
        grid.mesh = mesh;
    }
    tried * grid.side * grid.side
}

fn stretched(side: usize, corners: &Quad) -> Option<Mesh> {
    let far = side as f32;
    let square =
        Quad([(0.0, 0.0), (far, 0.0), (far, far), (0.0, far)].map(|(x, y)| Point::new(x, y)));
    Homography::between(&square, corners).map(Mesh::flat)
}

/// Sum over the modules of how far each is from grey, those whose colour is known
/// counted against it where they have the other one.
fn distinctness(grid: &Grid, layout: &Layout, corner: &Corner<'_>) -> f32 {
    let middle = corner.middle();
    let scale = 2.0 / corner.contrast();
    let mut sum = 0.0;
    for y in 0..grid.side {
        for x in 0..grid.side {
            let at = grid.mesh.map(x as f32 + 0.5, y as f32 + 0.5);
            let dark = ((middle - corner.value(at)) * scale).clamp(-1.0, 1.0);
            sum += match layout.kind(x, y) {
                ModuleKind::Dark => dark,
                ModuleKind::Light => -dark,
                _ => dark.abs(),
            };
        }
    }
    sum
}
