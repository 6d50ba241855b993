//! Which numbers were given up: runs of consecutive numbers, joined with the
//! notes that already stand in the queue, so that a broker that is away for
//! months finds one note and not thousands.

use crate::publish::message::{Kind, Message};
use crate::publish::notice::Gap;

/// The runs of consecutive numbers among `victims`, which are in order.
pub(super) fn runs<'a>(
    victims: impl IntoIterator<Item = (&'a str, u64)>,
    reason: &str,
) -> Vec<Gap> {
    let mut runs: Vec<Gap> = Vec::new();
    for (epoch, seq) in victims {
        match runs.last_mut() {
            Some(run) if run.epoch == epoch && run.to + 1 == seq => run.to = seq,
            _ => runs.push(Gap {
                epoch: epoch.to_owned(),
                from: seq,
                to: seq,
                reason: reason.to_owned(),
            }),
        }
    }
    runs
}

/// Lets every gap swallow those of `notes` that it touches. Returns the positions
/// of the notes that are told by their successor now.
pub(super) fn join(gaps: &mut [Gap], notes: &[Message]) -> Vec<i64> {
    let mut replaced = Vec::new();
    for gap in gaps {
        for note in notes {
            let same = note.kind == Kind::Gap
                && note.epoch == gap.epoch
                && note.reason == gap.reason
                && !replaced.contains(&note.position);
            if same && note.last_seq.checked_add(1) == Some(gap.from) {
                gap.from = note.seq;
                replaced.push(note.position);
            }
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(position: i64, from: u64, to: u64) -> Message {
        Message {
            position,
            kind: Kind::Gap,
            epoch: "e".into(),
            seq: from,
            last_seq: to,
            reason: "full".into(),
            stamped_ns: None,
            body: Vec::new(),
        }
    }

    #[test]
    fn runs_break_at_holes_and_epochs() {
        let victims = [("e", 1), ("e", 2), ("e", 4), ("f", 5)];
        let runs = runs(victims, "full");
        let told: Vec<_> = runs
            .iter()
            .map(|run| (run.epoch.as_str(), run.from, run.to))
            .collect();
        assert_eq!(told, [("e", 1, 2), ("e", 4, 4), ("f", 5, 5)]);
    }

    #[test]
    fn a_gap_swallows_the_note_it_continues_and_no_other() {
        let mut gaps = runs([("e", 11), ("e", 12)], "full");
        let replaced = join(&mut gaps, &[note(7, 1, 10), note(8, 20, 30)]);
        assert_eq!((gaps[0].from, gaps[0].to), (1, 12));
        assert_eq!(replaced, [7]);
    }
}
