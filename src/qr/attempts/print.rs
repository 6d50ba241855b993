//! Symbols that were located, but whose modules are no plain squares of one dark
//! and one light: so small or blurred that light of each falls on its neighbours,
//! dots on a picture, data in another colour than the alignment patterns.

use super::{Job, Kind, Proposal};
use crate::qr::Reads;
use crate::qr::grid::untangling;
use crate::qr::trial::UNITS_PER_MODULE;

/// Share of such attempts that read something, at first: 8 of 31 in three
/// collections of photographs.
const PROMISE: f32 = 0.25;
/// How many times a symbol is sampled and decoded as odd print.
const WAYS: usize = 2;

/// Reads odd print.
#[derive(Default)]
pub struct Print;

impl Kind for Print {
    fn propose(&mut self, job: &mut Job<'_, '_>, proposals: &mut Vec<Proposal>) {
        for (index, grid) in job.trial.unread().iter().enumerate() {
            proposals.push(Proposal {
                index,
                centre: grid.corners().centre(),
                promise: PROMISE,
                cost: untangling(grid.side) + WAYS * UNITS_PER_MODULE * grid.side * grid.side,
            });
        }
    }

    /// What is lost as far as whole modules tell is what this is for.
    fn is_void(&self, proposal: &Proposal, reads: &Reads) -> bool {
        reads.codes.cover(proposal.centre)
    }

    fn attempt(&mut self, proposal: &Proposal, job: &mut Job<'_, '_>) -> bool {
        let grid = job.trial.unread()[proposal.index];
        let Some(sampler) = job.scene.sweep.sampler(job.scene.luma, grid.module) else {
            return false;
        };
        let options = job.scene.options;
        let Job { trial, reads, .. } = job;
        if trial.read_untangled(&grid, &sampler, options, job.budget, reads) {
            return true;
        }
        if job.budget.is_spent() {
            return false;
        }
        job.budget
            .spend(WAYS * UNITS_PER_MODULE * grid.side * grid.side);
        job.trial
            .read_odd_print(&grid, &sampler, options, job.reads)
    }
}
