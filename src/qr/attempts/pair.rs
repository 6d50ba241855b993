//! TODO

use super::{Kind, Proposal, Scene};
use crate::qr::Reads;
use crate::qr::budget::Budget;
use crate::qr::trial::Trial;

/// TODO
#[derive(Default)]
pub struct Pairs {}

impl Kind for Pairs {
    fn propose(&mut self, _scene: &Scene<'_>, _reads: &Reads, _proposals: &mut Vec<Proposal>) {}

    fn attempt(
        &mut self,
        _scene: &Scene<'_>,
        _proposal: &Proposal,
        _trial: &mut Trial,
        _budget: &mut Budget,
        _reads: &mut Reads,
    ) -> bool {
        false
    }
}
