//! What the outbox's thread works on: the file while it can be written, the ring
//! in memory while it cannot. The passage between the two is in [`super::mend`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ClockSynced;
use super::disk::{self, Disk, Fault};
use super::give_up::{Trimmed, give_up, note};
use super::ring::Ring;
use crate::config::OutboxPlan;
use crate::item::Published;
use crate::item::{Event, EventKind};
use crate::publish::desk::Desk;
use crate::publish::envelope::{self, Number, rfc3339, wall_ns};
use crate::publish::message::{Kind, Message};
use crate::publish::notice::{Alert, Severity};
use crate::snapshot::Meters;

/// Between two attempts on a disk that took nothing.
const RETRY: Duration = Duration::from_secs(5);

/// Dead letters in memory while there is no disk for them.
const DEAD_IN_MEMORY: usize = 100;

pub(super) struct Store {
    pub(super) plan: OutboxPlan,
    pub(super) reader: String,
    pub(super) clock_synced: ClockSynced,
    pub(super) meters: Arc<Meters>,
    pub(super) desk: Arc<Desk>,

    /// The open file; absent while it cannot even be opened.
    pub(super) disk: Option<Disk>,
    /// Whether the last transaction went well.
    pub(super) writable: bool,
    pub(super) tried: Instant,
    pub(super) epoch: String,
    pub(super) seq: u64,
    /// Rows in the file that are not acknowledged, and what they cost. Below zero
    /// for a moment if the broker acknowledges what was given up meanwhile.
    pub(super) rows: i64,
    pub(super) cost: i64,
    /// The file's epoch must be renewed before a number is given in it again.
    pub(super) doubtful: bool,

    pub(super) ring: Ring,
    pub(super) next_position: i64,
    /// Acknowledged, in the file still, with what they cost.
    pub(super) acked: BTreeMap<i64, u64>,
    /// Dead letters that the file has not got yet.
    pub(super) buried: Vec<(Message, String)>,
    /// Grows when messages turned up behind the back of who fetches them in order.
    pub generation: u64,
    /// Transactions that wrote.
    pub commits: u64,
}

impl Store {
    /// Opens the file. Whatever is wrong with it, there is a store afterwards.
    pub(super) fn open(
        plan: OutboxPlan,
        reader: String,
        clock_synced: ClockSynced,
        meters: Arc<Meters>,
        desk: Arc<Desk>,
    ) -> Store {
        let mut store = Store {
            ring: Ring::new(plan.memory_events),
            plan,
            reader,
            clock_synced,
            meters,
            desk,
            disk: None,
            writable: false,
            tried: Instant::now(),
            epoch: String::new(),
            seq: 0,
            rows: 0,
            cost: 0,
            doubtful: false,
            next_position: 1,
            acked: BTreeMap::new(),
            buried: Vec::new(),
            generation: 0,
            commits: 0,
        };
        match store.open_disk() {
            Ok((disk, contents)) => store.adopt(disk, contents),
            Err(fault) => store.lose_disk(&fault),
        }
        store.measure();
        store
    }

    /// Numbers `events` and makes them durable in one transaction, or puts them
    /// into the ring. Returns the messages as they will be sent.
    pub(super) fn accept(&mut self, events: &[Event]) -> Vec<Message> {
        if self.writable {
            for _ in 0..2 {
                match self.accept_on_disk(events) {
                    Ok(messages) => {
                        self.measure();
                        return messages;
                    }
                    // A new file may stand in the place of a damaged one: once more.
                    Err(fault) => self.mend(&fault),
                }
                if !self.writable {
                    break;
                }
            }
        }
        let messages = self.accept_in_memory(events);
        self.measure();
        messages
    }

    fn accept_on_disk(&mut self, events: &[Event]) -> Result<Vec<Message>, Fault> {
        if self.doubtful {
            self.epoch = super::new_epoch();
            self.seq = 0;
        }
        let (epoch, first) = (self.epoch.clone(), self.seq + 1);
        let messages = self.number(events, &epoch, first, true);
        let remembered: Vec<Published> = events.iter().filter_map(Published::of).collect();
        let seq = self.seq + messages.len() as u64;
        let cost = self.cost + total(&messages);
        let surplus = u64::try_from(cost)
            .unwrap_or(0)
            .saturating_sub(self.plan.max_bytes);
        let acked = (surplus > 0).then_some(&self.acked);
        let note_position = self.next_position + messages.len() as i64;
        let (max_bytes, reader) = (self.plan.max_bytes, self.reader.as_str());
        let newest = note_position - 1;
        let disk = self.disk.as_mut().ok_or_else(gone)?;
        let (missing, trimmed) = disk.transaction(|tx| {
            for message in &messages {
                disk::insert(tx, message)?;
            }
            for item in &remembered {
                disk::remember(tx, item)?;
            }
            disk::set_number(tx, &epoch, seq)?;
            let Some(acked) = acked else {
                return Ok((Vec::new(), Trimmed::default()));
            };
            // What was acknowledged must not be told as given up.
            let missing = disk::delete(tx, acked.keys().copied())?;
            // A sixteenth more goes, so that not every event moves the bound.
            let mut victims = disk::oldest(tx, surplus + max_bytes / 16)?;
            victims.retain(|victim| victim.position < newest);
            Ok((
                missing,
                give_up(tx, &victims, "full", reader, note_position)?,
            ))
        })?;
        self.commits += 1;
        self.doubtful = false;
        self.seq = seq;
        self.cost = cost;
        self.rows += messages.len() as i64;
        self.next_position = note_position;
        if surplus > 0 {
            self.forget_acked(&missing);
        }
        self.account(&trimmed);
        Ok(messages)
    }

    fn accept_in_memory(&mut self, events: &[Event]) -> Vec<Message> {
        let epoch = self.ring.epoch.clone();
        let messages = self.number(events, &epoch, self.ring.seq + 1, false);
        self.ring.seq += messages.len() as u64;
        self.next_position += messages.len() as i64;
        for message in &messages {
            self.ring.push(message.clone());
        }
        let (given_up, gaps) = self.ring.trim();
        for gap in &gaps {
            let note = note(gap, &self.reader, self.next_position);
            self.next_position += 1;
            self.ring.push(note);
        }
        self.tell_given_up("memory_full", given_up);
        messages
    }

    fn number(&self, events: &[Event], epoch: &str, first: u64, durable: bool) -> Vec<Message> {
        let clock_synced = (self.clock_synced)();
        let stamped_ns = clock_synced.then(wall_ns);
        events
            .iter()
            .enumerate()
            .map(|(index, event)| {
                let number = Number {
                    reader: &self.reader,
                    epoch,
                    seq: first + index as u64,
                    durable,
                    clock_synced,
                };
                Message {
                    position: self.next_position + index as i64,
                    kind: match event.kind {
                        EventKind::Read => Kind::Read,
                        EventKind::NoRead => Kind::NoRead,
                    },
                    epoch: epoch.to_owned(),
                    seq: number.seq,
                    last_seq: number.seq,
                    reason: String::new(),
                    stamped_ns,
                    body: envelope::body(event, &number),
                }
            })
            .collect()
    }

    /// The next messages behind `after` that are not acknowledged.
    pub(super) fn fetch(&mut self, after: i64, limit: usize, bytes: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut cursor = after;
        while let Some(disk) = &self.disk {
            match disk.fetch(cursor, limit, bytes) {
                Ok(batch) => {
                    let Some(last) = batch.last() else { break };
                    cursor = last.position;
                    messages.extend(
                        batch
                            .into_iter()
                            .filter(|message| !self.acked.contains_key(&message.position)),
                    );
                    if !messages.is_empty() {
                        break;
                    }
                }
                Err(fault) => {
                    // Its rows are out of reach until it can be opened again.
                    self.mend(&fault);
                    if !self.writable {
                        self.disk = None;
                    }
                }
            }
        }
        let room = limit.saturating_sub(messages.len());
        let waiting = self.ring.iter().filter(|message| message.position > after);
        messages.extend(waiting.take(room).cloned());
        messages.sort_by_key(|message| message.position);
        messages
    }

    /// The broker has the message at `position`.
    pub(super) fn acknowledge(&mut self, position: i64, cost: u64) {
        self.take_off(position, cost);
        self.meters.publish.acknowledged.add(1);
    }

    fn take_off(&mut self, position: i64, cost: u64) {
        if self.ring.remove(position).is_none() && self.acked.insert(position, cost).is_none() {
            self.rows -= 1;
            self.cost -= cost as i64;
        }
    }

    /// The acknowledged rows are deleted. `missing` were gone already, given up,
    /// and had been counted then.
    pub(super) fn forget_acked(&mut self, missing: &[i64]) {
        for position in missing {
            self.rows += 1;
            self.cost += self.acked.get(position).copied().unwrap_or(0) as i64;
        }
        self.acked.clear();
    }

    /// The broker will never take `message`: it is laid aside.
    pub(super) fn bury(&mut self, message: Message, reason: String) {
        self.meters.publish.dead_letters.add(1);
        self.desk.alert(Alert {
            kind: "dead_letter",
            severity: Severity::Error,
            detail: format!(
                "the broker refuses {} {}-{}-{}: {reason}. It was set aside in the outbox's table \
                 'dead'",
                message.kind.leaf(),
                self.reader,
                message.epoch,
                message.seq
            ),
            count: Some(1),
        });
        self.take_off(message.position, message.cost());
        self.buried.push((message, reason));
        self.tidy();
    }

    /// Once a second: writes what waits, in one transaction, if anything does, and
    /// tries a disk that took nothing.
    pub(super) fn tidy(&mut self) {
        if !self.writable {
            while self.buried.len() > DEAD_IN_MEMORY {
                let (message, _) = self.buried.remove(0);
                log::error!(
                    "the dead letter {}-{} is lost: the disk takes nothing",
                    message.epoch,
                    message.seq
                );
            }
            if self.tried.elapsed() >= RETRY {
                self.try_again();
            }
            self.measure();
            return;
        }
        let before = match (self.clock_synced)() {
            true => wall_ns().saturating_sub(nanoseconds(self.plan.max_age)),
            false => i64::MIN,
        };
        let old = match self.aged(before) {
            Ok(old) => old,
            Err(fault) => return self.mend(&fault),
        };
        if !old && self.acked.is_empty() && self.buried.is_empty() {
            self.measure();
            return;
        }
        if let Err(fault) = self.write_what_waits(before) {
            self.mend(&fault);
        }
        self.measure();
    }

    /// Whether events are older than `before` by more than a little: so that they
    /// go in handfuls, not one by one.
    fn aged(&mut self, before: i64) -> Result<bool, Fault> {
        if before == i64::MIN || self.rows <= 0 {
            return Ok(false);
        }
        let slack = (self.plan.max_age / 256).min(Duration::from_secs(3600));
        let disk = self.disk.as_ref().ok_or_else(gone)?;
        Ok(disk
            .first_stamp()?
            .is_some_and(|stamp| stamp < before.saturating_sub(nanoseconds(slack))))
    }

    fn write_what_waits(&mut self, before: i64) -> Result<(), Fault> {
        let at = rfc3339(wall_ns());
        let (acked, buried) = (&self.acked, &self.buried);
        let (reader, note_position) = (self.reader.as_str(), self.next_position);
        let disk = self.disk.as_mut().ok_or_else(gone)?;
        let (missing, trimmed) = disk.transaction(|tx| {
            for (message, reason) in buried {
                disk::bury(tx, message, reason, &at)?;
            }
            let missing = disk::delete(tx, acked.keys().copied())?;
            disk::forget_old(tx)?;
            let victims = match before {
                i64::MIN => Vec::new(),
                before => disk::stamped_before(tx, before)?,
            };
            Ok((
                missing,
                give_up(tx, &victims, "age", reader, note_position)?,
            ))
        })?;
        self.commits += 1;
        self.forget_acked(&missing);
        self.buried.clear();
        self.account(&trimmed);
        Ok(())
    }

    /// The items published last, oldest first.
    pub(super) fn remembered(&mut self) -> Vec<Published> {
        match self.disk.as_ref().map(Disk::remembered) {
            Some(Ok(items)) => items,
            Some(Err(fault)) => {
                self.mend(&fault);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// The last message's position, and how many wait.
    pub(super) fn tip(&self) -> (i64, u64) {
        let rows = u64::try_from(self.rows).unwrap_or(0);
        (self.next_position - 1, rows + self.ring.len() as u64)
    }

    fn account(&mut self, trimmed: &Trimmed) {
        self.rows += trimmed.notes - trimmed.rows;
        self.cost += trimmed.notes_cost - trimmed.cost;
        self.next_position += trimmed.notes;
        self.tell_given_up(trimmed.reason, trimmed.events);
    }

    fn tell_given_up(&self, reason: &str, count: u64) {
        if count == 0 {
            return;
        }
        self.meters.publish.given_up.add(count);
        self.desk.alert(Alert {
            kind: "events_given_up",
            severity: Severity::Error,
            detail: format!(
                "the oldest {count} events in the outbox were given up ({reason}); a 'gap' \
                 message names them. Look after the broker, or give outbox.max-mb, \
                 outbox.max-age-h or outbox.memory-events more"
            ),
            count: Some(count),
        });
    }

    fn measure(&self) {
        let meters = &self.meters.publish;
        meters.outbox_events.set(self.tip().1);
        let cost = u64::try_from(self.cost).unwrap_or(0);
        meters.outbox_bytes.set(cost + self.ring.cost());
        meters.durable.set(u64::from(self.writable));
        meters.seq.set(if self.writable {
            self.seq
        } else {
            self.ring.seq
        });
    }
}

fn total(messages: &[Message]) -> i64 {
    messages.iter().map(|message| message.cost() as i64).sum()
}

pub(super) fn gone() -> Fault {
    Fault::Unwritable {
        cause: "the outbox file is not open".into(),
        certain: true,
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
