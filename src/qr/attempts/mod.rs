//! Costlier attempts on the places where a sweep left signs of a code.
//!
//! Each kind of attempt proposes places with what they promise and what they
//! cost; the proposals of all kinds are taken in the order of promise for cost,
//! with what the kind has given so far on this camera weighed in, until none is
//! left or the budget is spent.

mod deblur;
mod micro;
mod pair;
mod print;
mod rmqr;

use deblur::Deblur;
use micro::Micro;
use pair::Pairs;
use print::Print;

use super::budget::Budget;
use super::sweep::Sweep;
use super::trial::Trial;
use super::{Hint, ReaderOptions, Reads, Tried, Work};
use crate::frame::Luma;
use crate::geometry::Point;

/// What a frame shows and what the sweep found out about it.
pub struct Scene<'a> {
    /// The frame.
    pub luma: Luma<'a>,
    /// Its pyramid and finder patterns.
    pub sweep: &'a Sweep,
    /// Where codes are expected.
    pub hints: &'a [Hint],
    /// What is to be read.
    pub options: &'a ReaderOptions,
}

/// A finder pattern as smooth as this is a sign of a code: of those of codes that
/// were read from photographs half are smoother, of false ones very few.
pub const CLEAR: f32 = 0.12;
/// The same where nothing was read yet; such a one is followed to hidden others.
pub const FAIRLY_CLEAR: f32 = 0.25;

impl Scene<'_> {
    /// Is there a symbol that was located, a place where one is expected or a finder
    /// pattern smoother than `clear` that nothing explains?
    pub fn shows_more(&self, clear: f32, reads: &Reads) -> bool {
        let mut unread = reads.unread.iter();
        unread.any(|unread| !reads.explain(unread.corners.centre()))
            || self
                .hints
                .iter()
                .any(|hint| !reads.explain(hint.corners.centre()))
            || self.sweep.found().any(|(finder, used)| {
                !used && finder.roughness < clear && !reads.explain(finder.centre)
            })
    }
}

/// What an attempt works with.
pub struct Job<'a, 'b> {
    /// The frame.
    pub scene: &'a Scene<'b>,
    /// Tries grids.
    pub trial: &'a mut Trial,
    /// What may be spent.
    pub budget: &'a mut Budget,
    /// What was read so far, and what is.
    pub reads: &'a mut Reads,
}

/// One attempt that could be made.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// Which of the kind's own candidates.
    pub index: usize,
    /// Where: a code read there meanwhile makes it void.
    pub centre: Point,
    /// Probability that it gives a read, as far as the picture tells.
    pub promise: f32,
    /// Its cost in units of work (about one pixel touched once).
    pub cost: usize,
}

/// A kind of attempt, with the memory that it needs.
pub trait Kind {
    /// Proposes places in the frame. Must be cheap where there is nothing.
    fn propose(&mut self, job: &mut Job<'_, '_>, proposals: &mut Vec<Proposal>);

    /// Has what was read or found out since it was proposed made it pointless?
    fn is_void(&self, proposal: &Proposal, reads: &Reads) -> bool {
        reads.explain(proposal.centre)
    }

    /// Makes one of the attempts that it proposed in this frame. Whether it gave
    /// a read.
    fn attempt(&mut self, proposal: &Proposal, job: &mut Job<'_, '_>) -> bool;
}

/// How many kinds there are.
const KINDS: usize = 4;

/// All kinds, and what each has given so far.
#[derive(Default)]
pub struct Attempts {
    queue: Vec<(usize, Proposal)>,
    proposals: Vec<Proposal>,
    yields: [Yield; KINDS],
    pairs: Pairs,
    deblur: Deblur,
    micro: Micro,
    print: Print,
}

/// What attempts of one kind have given: reads for promised reads, with a
/// memory of some hundred attempts.
#[derive(Clone, Copy, Debug)]
struct Yield {
    promised: f32,
    read: f32,
}

impl Default for Yield {
    fn default() -> Self {
        // As if a few promises had been kept.
        Self {
            promised: 4.0,
            read: 4.0,
        }
    }
}

impl Yield {
    fn factor(&self) -> f32 {
        (self.read + 0.1) / (self.promised + 0.1)
    }

    fn note(&mut self, promise: f32, read: bool) {
        const MEMORY: f32 = 0.99;
        self.promised = self.promised * MEMORY + promise;
        self.read = self.read * MEMORY + f32::from(u8::from(read));
    }
}

impl Attempts {
    fn kind(&mut self, at: usize) -> &mut dyn Kind {
        match at {
            0 => &mut self.pairs,
            1 => &mut self.deblur,
            2 => &mut self.micro,
            _ => &mut self.print,
        }
    }

    /// What costs less than a second look over the frame, to be made before it.
    pub fn run_early(&mut self, mut job: Job<'_, '_>) {
        self.micro.try_early(&mut job);
    }

    /// Makes attempts until none is left, the budget is spent or there are as many
    /// codes as are wanted.
    pub fn run(&mut self, mut job: Job<'_, '_>) {
        if job.budget.is_spent() {
            return;
        }
        self.queue.clear();
        for at in 0..KINDS {
            let mut proposals = std::mem::take(&mut self.proposals);
            let before = job.budget.spent();
            self.kind(at).propose(&mut job, &mut proposals);
            tried(&mut job.reads.work, at).units += job.budget.spent() - before;
            self.queue
                .extend(proposals.drain(..).map(|proposal| (at, proposal)));
            self.proposals = proposals;
        }
        let worth = |yields: &[Yield; KINDS], at: usize, proposal: &Proposal| {
            yields[at].factor() * proposal.promise / proposal.cost.max(1) as f32
        };
        let yields = self.yields;
        // Best last; of equals, the first proposed. A stable sort would allocate.
        self.queue.sort_unstable_by(|(a, one), (b, other)| {
            worth(&yields, *a, one)
                .total_cmp(&worth(&yields, *b, other))
                .then((b, other.index).cmp(&(a, one.index)))
        });
        while let Some((at, proposal)) = self.queue.pop() {
            if job.reads.codes.len() >= job.scene.options.max_codes || job.budget.is_spent() {
                return;
            }
            if self.kind(at).is_void(&proposal, job.reads) || !job.budget.allows(proposal.cost) {
                continue;
            }
            let before = job.budget.spent();
            let read = self.kind(at).attempt(&proposal, &mut job);
            let tried = tried(&mut job.reads.work, at);
            tried.times += 1;
            tried.units += job.budget.spent() - before;
            self.yields[at].note(proposal.promise, read);
        }
    }
}

/// Where attempts of a kind are counted.
fn tried(work: &mut Work, at: usize) -> &mut Tried {
    match at {
        0 => &mut work.pairs,
        1 => &mut work.deblurs,
        2 => &mut work.corners,
        _ => &mut work.prints,
    }
}
