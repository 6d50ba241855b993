//! Events that are given up, and the notes that say so: in one transaction.

use super::disk;
use super::gaps;
use crate::publish::envelope::wall_ns;
use crate::publish::message::{Kind, Message};
use crate::publish::notice::{self, Gap};

/// What went when the queue was trimmed.
#[derive(Default)]
pub(super) struct Trimmed {
    pub reason: &'static str,
    pub events: u64,
    /// Rows that went, replaced notes included, and their cost.
    pub rows: i64,
    pub cost: i64,
    /// Notes that came, and their cost.
    pub notes: i64,
    pub notes_cost: i64,
}

/// Takes `victims` off the queue and leaves notes of them at its end.
pub(super) fn give_up(
    tx: &rusqlite::Transaction,
    victims: &[disk::Victim],
    reason: &'static str,
    reader: &str,
    mut position: i64,
) -> rusqlite::Result<Trimmed> {
    if victims.is_empty() {
        return Ok(Trimmed::default());
    }
    disk::delete(tx, victims.iter().map(|victim| victim.position))?;
    let mut gaps = gaps::runs(
        victims
            .iter()
            .map(|victim| (victim.epoch.as_str(), victim.seq)),
        reason,
    );
    let notes = disk::notes(tx)?;
    let replaced = gaps::join(&mut gaps, &notes);
    disk::delete(tx, replaced.iter().copied())?;
    let replaced_cost: u64 = notes
        .iter()
        .filter(|note| replaced.contains(&note.position))
        .map(Message::cost)
        .sum();
    let mut trimmed = Trimmed {
        reason,
        events: victims.len() as u64,
        rows: (victims.len() + replaced.len()) as i64,
        cost: (victims.iter().map(|victim| victim.cost).sum::<u64>() + replaced_cost) as i64,
        ..Trimmed::default()
    };
    for gap in &gaps {
        let note = note(gap, reader, position);
        disk::insert(tx, &note)?;
        position += 1;
        trimmed.notes += 1;
        trimmed.notes_cost += note.cost() as i64;
    }
    Ok(trimmed)
}

/// The note that tells of `gap`.
pub(super) fn note(gap: &Gap, reader: &str, position: i64) -> Message {
    Message {
        position,
        kind: Kind::Gap,
        epoch: gap.epoch.clone(),
        seq: gap.from,
        last_seq: gap.to,
        reason: gap.reason.clone(),
        stamped_ns: None,
        body: notice::gap(gap, reader, wall_ns()),
    }
}
