//! The reader: find, group, locate, sample, decode, over all codes of a frame.
//!
//! Cheap first: [`Sweep`] looks over the whole frame for symbols with three clear
//! finder patterns. What it leaves behind are signs of more; [`Attempts`] are the
//! costlier ways to follow them, taken in the order of what they promise for
//! their cost, until nothing is left or the budget is spent.

use std::time::Duration;

use super::attempts::{Attempts, CLEAR, FAIRLY_CLEAR, Job, Scene};
use super::budget::Budget;
use super::sweep::{PASSES, Sweep};
use super::trial::{A_SYMBOL, Trial};
use super::{Reads, Reason, Sign};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};

/// What to read, and how long it may take.
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderOptions {
    /// Read light-on-dark codes too.
    pub inverted: bool,
    /// Read mirrored codes too.
    pub mirrored: bool,
    /// Read Micro QR codes and rectangular ones (rMQR) too.
    pub micro: bool,
    /// For frames of one camera in their order: parts of the picture that have not
    /// changed, and in which nothing was found, are looked at in one frame of ten
    /// only. Pictures that have nothing to do with each other are read without.
    pub still: bool,
    /// Most codes in one frame.
    pub max_codes: usize,
    /// Most time for one frame; `None`: until nothing is left to be tried.
    pub deadline: Option<Duration>,
    /// Most work for one frame, in units of about one pixel touched once: the
    /// same frames with the same budget give the same reads on every machine.
    pub budget: Option<u64>,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self {
            inverted: true,
            mirrored: true,
            micro: true,
            still: false,
            max_codes: 200,
            deadline: None,
            budget: None,
        }
    }
}

/// Where a code is expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hint {
    /// Its corners, predicted for the frame's own time.
    pub corners: Quad,
    /// Its velocity in pixels a second.
    pub velocity: Point,
    /// Its way during the exposure in pixels, where the exposure time is known.
    pub motion: Option<Point>,
}

impl Hint {
    /// Tells how long the frame was exposed, in microseconds.
    pub fn exposed(&mut self, exposure_us: Option<u32>) {
        self.motion = exposure_us.map(|time| self.velocity * (time as f32 * 1e-6));
    }
}

/// A picture of so few pixels, a crop perhaps, is looked at again even without a
/// sign: it costs little.
const SMALL: usize = 200_000;
/// Signs that are told of, at most.
const MOST_SIGNS: usize = 64;

/// Reads codes out of frames. Owns every buffer that this takes; once it has
/// seen frames of a size, reading further ones allocates nothing.
#[derive(Default)]
pub struct Reader {
    options: ReaderOptions,
    sweep: Sweep,
    trial: Trial,
    attempts: Attempts,
}

impl Reader {
    /// A reader; its buffers grow with the first frames.
    pub fn new(options: ReaderOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Gives each frame from now on another time; `None`: until nothing is left to
    /// be tried.
    pub fn set_deadline(&mut self, deadline: Option<Duration>) {
        self.options.deadline = deadline;
    }

    /// All codes of one frame, of any size and angle, in one go. `hints` are
    /// places where codes are expected.
    pub fn read(&mut self, luma: Luma<'_>, hints: &[Hint], reads: &mut Reads) {
        let options = &self.options;
        let mut budget = Budget::new(options.deadline, options.budget);
        reads.clear();
        self.sweep.start(luma, &mut budget);
        self.trial.start(budget.deadline());
        for pass in &PASSES {
            reads.work.passes += 1;
            let Self {
                sweep,
                trial,
                attempts,
                ..
            } = self;
            sweep.pass(luma, pass, trial, options, &mut budget, reads);
            let scene = Scene {
                luma,
                sweep,
                hints,
                options,
            };
            if reads.work.passes == 1 {
                attempts.run_early(Job {
                    scene: &scene,
                    trial,
                    budget: &mut budget,
                    reads,
                });
            }
            if budget.is_spent() || !evidence(&scene, reads) {
                break;
            }
        }
        let scene = Scene {
            luma,
            sweep: &self.sweep,
            hints,
            options,
        };
        self.attempts.run(Job {
            scene: &scene,
            trial: &mut self.trial,
            budget: &mut budget,
            reads,
        });
        reads.work.units = budget.spent();
        reads.risk = self.trial.risk();
        self.point_out(reads);
        conclude(reads);
    }

    /// Tells of the finder patterns that are left over.
    fn point_out(&self, reads: &mut Reads) {
        let Reads { codes, signs, .. } = reads;
        let left_over = self.sweep.found().filter_map(|(finder, used)| {
            let centre = finder.centre;
            let free = !used && !codes.cover(centre);
            free.then_some(Sign {
                centre,
                module_px: finder.module,
                roughness: finder.roughness,
            })
        });
        signs.extend(left_over.take(MOST_SIGNS));
    }
}

/// Is a second, closer look worth it?
fn evidence(scene: &Scene<'_>, reads: &Reads) -> bool {
    let nothing = reads.codes.is_empty();
    let clear = if nothing { FAIRLY_CLEAR } else { CLEAR };
    reads.codes.len() < scene.options.max_codes
        && (nothing && scene.luma.width() * scene.luma.height() <= SMALL
            || scene.sweep.suspects(reads)
            || scene.shows_more(clear, reads))
}

/// Drops what was located but read after all and what is hardly a symbol, and says
/// why nothing was read.
fn conclude(reads: &mut Reads) {
    let Reads { codes, unread, .. } = reads;
    unread.retain(|unread| {
        let centre = unread.corners.centre();
        unread.agreement >= A_SYMBOL
            && !codes.iter().any(|code| {
                code.corners.contains(centre) || unread.corners.contains(code.corners.centre())
            })
    });
    let mut kept = 0;
    for index in 0..unread.len() {
        let centre = unread[index].corners.centre();
        if !unread[..kept]
            .iter()
            .any(|other| other.corners.contains(centre))
        {
            unread.swap(kept, index);
            kept += 1;
        }
    }
    unread.truncate(kept);
    if codes.is_empty() {
        reads.failure = Some(unread.first().map_or(Reason::NoFinder, |u| u.reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::belt::degrade::{Degradation, Print};
    use crate::qr::budget::looks;

    /// A frame that ends in the middle of anything leaves no half-filled buffer that
    /// somebody takes for a full one, and nothing that spoils the next frame.
    #[test]
    fn a_frame_may_end_at_any_look_at_the_clock() {
        let how = |change: &dyn Fn(&mut Degradation)| {
            let mut how = Degradation {
                seed: 11,
                turn_deg: 20.0,
                ..Degradation::default()
            };
            change(&mut how);
            how
        };
        let faults = [
            how(&|how| how.glare = 0.1),
            how(&|how| how.glare = 0.2),
            how(&|how| how.damage = 0.15),
            how(&|how| how.blur_px = 12.0),
            how(&|how| how.defocus_px = 2.5),
            how(&|how| how.bend_deg = 90.0),
            how(&|how| (how.perspective, how.contrast) = (0.2, 10.0)),
            how(&|how| (how.glare, how.blur_px, how.module_px) = (0.1, 6.0, 3.0)),
        ];
        let texts = ["0109506000134352", &"A LABEL OF MANY MODULES ".repeat(9)];
        let (mut reader, mut reads) = (Reader::default(), Reads::default());
        for (fault, text) in faults.iter().flat_map(|how| texts.map(|text| (how, text))) {
            let shown = Print::new(text, 'M').expect("fits").specimen(fault);
            let luma = Luma::new(&shown.pixels, shown.width, shown.height, shown.width);
            let luma = luma.expect("fits");
            let mut read = |most: u64| {
                let ((), looked) = looks::ending_at(most, || reader.read(luma, &[], &mut reads));
                for code in reads.codes.iter() {
                    assert_eq!(code.content.text, text, "{fault:?}, after {most} looks");
                }
                (reads.codes.len(), looked)
            };
            let (codes, looked) = read(u64::MAX);
            // All of them where there are few; they cost most where there are many.
            for most in (1..looked).step_by(1 + looked as usize / 300) {
                read(most);
            }
            assert_eq!(read(u64::MAX).0, codes, "{fault:?}");
        }
    }
}
