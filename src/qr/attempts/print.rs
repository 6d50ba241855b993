//! Symbols that were located, but whose modules are no plain squares of one dark
//! and one light: dots on a picture, data in another colour than the alignment
//! patterns.

use super::{Job, Kind, Proposal};
use crate::qr::Reads;
use crate::qr::trial::UNITS_PER_MODULE;

/// Share of such attempts that read something, at first.
const PROMISE: f32 = 0.05;
/// How many times a symbol is sampled and decoded.
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
                cost: WAYS * UNITS_PER_MODULE * grid.side * grid.side,
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
        job.budget.spend(proposal.cost);
        job.trial
            .read_odd_print(&grid, &sampler, job.scene.options, job.reads)
    }
}
