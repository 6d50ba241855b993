//! From the file to the ring and back: a disk that takes nothing, a file that is
//! damaged, and the day on which it works again.

use std::path::PathBuf;
use std::time::Instant;

use super::aside;
use super::disk::{self, Contents, Disk, Fault};
use super::store::{Store, gone};
use crate::publish::notice::{Alert, Severity};

/// Reason of degradation while events are in memory only.
const NOT_DURABLE: &str = "disk";

impl Store {
    /// Opens the file; one that is damaged is set aside and begun anew.
    pub(super) fn open_disk(&mut self) -> Result<(Disk, Contents), Fault> {
        match Disk::open(&self.plan.path) {
            Err(Fault::Corrupt(cause)) => {
                self.set_aside(&cause)?;
                Disk::open(&self.plan.path)
            }
            result => result,
        }
    }

    pub(super) fn adopt(&mut self, disk: Disk, contents: Contents) {
        self.disk = Some(disk);
        self.writable = true;
        self.epoch = contents.epoch;
        self.seq = contents.seq;
        self.rows = contents.rows as i64 - self.acked.len() as i64;
        self.cost = contents.cost as i64 - self.acked.values().sum::<u64>() as i64;
        if let Some((_, greatest)) = contents.positions {
            self.next_position = self.next_position.max(greatest.saturating_add(1));
        }
    }

    fn set_aside(&mut self, cause: &str) -> Result<(), Fault> {
        let path = self.plan.path.clone();
        self.acked.clear();
        let name: PathBuf = aside::set_aside(&path).map_err(|error| Fault::Unwritable {
            cause: format!("{} is damaged ({cause}) and stays: {error}", path.display()),
            certain: true,
        })?;
        self.desk.alert(Alert {
            kind: "outbox_corrupt",
            severity: Severity::Error,
            detail: format!(
                "{} was damaged ({cause}) and is kept as {}; a new outbox with a new epoch was \
                 begun. Events in the old file that were not sent can be read from it with \
                 sqlite3's .recover",
                path.display(),
                name.display()
            ),
            count: None,
        });
        Ok(())
    }

    /// Goes on without the disk, and says so once.
    pub(super) fn lose_disk(&mut self, fault: &Fault) {
        if let Fault::Unwritable { certain: false, .. } = fault {
            self.doubtful = true;
        }
        self.writable = false;
        self.tried = Instant::now();
        if self.desk.set_reason(NOT_DURABLE) {
            self.desk.alert(Alert {
                kind: "outbox_not_durable",
                severity: Severity::Error,
                detail: format!(
                    "{} cannot be written ({fault}); events go on from memory, at most {}. Free \
                     space on the disk or make the folder writable",
                    self.plan.path.display(),
                    self.plan.memory_events
                ),
                count: None,
            });
        }
    }

    /// Deals with a fault of the open file: a damaged one is set aside and begun
    /// anew, else the ring takes over.
    pub(super) fn mend(&mut self, fault: &Fault) {
        if let Fault::Corrupt(_) = fault {
            self.disk = None;
            let opened = self
                .set_aside(&fault.to_string())
                .and_then(|()| Disk::open(&self.plan.path));
            match opened {
                Ok((disk, contents)) => {
                    self.adopt(disk, contents);
                    self.desk.clear_reason(NOT_DURABLE);
                }
                Err(fault) => {
                    (self.rows, self.cost) = (0, 0);
                    self.lose_disk(&fault);
                }
            }
            return;
        }
        self.lose_disk(fault);
    }

    /// Tries the disk again. What is in the ring goes into the file with it, so
    /// that it outlives us from now on; its bytes stay as they are.
    pub(super) fn try_again(&mut self) {
        self.tried = Instant::now();
        let late = self.disk.is_none();
        if late {
            match self.open_disk() {
                Ok((disk, contents)) => {
                    let positions = contents.positions;
                    self.adopt(disk, contents);
                    self.writable = false;
                    if let Err(fault) = self.make_room(positions) {
                        self.disk = None;
                        return self.mend(&fault);
                    }
                }
                Err(fault) => return self.lose_disk(&fault),
            }
        }
        let (ring, acked) = (&self.ring, &self.acked);
        let Some(disk) = self.disk.as_mut() else {
            return;
        };
        let result = disk.transaction(|tx| {
            for message in ring.iter() {
                disk::insert(tx, message)?;
            }
            // A write of its own, so that an empty ring tries the disk as well.
            disk::set_number(tx, &self.epoch, self.seq)?;
            disk::delete(tx, acked.keys().copied())
        });
        match result {
            Ok(missing) => {
                self.commits += 1;
                self.writable = true;
                self.forget_acked(&missing);
                self.rows += self.ring.len() as i64;
                self.cost += self.ring.cost() as i64;
                self.ring.clear();
                self.generation += u64::from(late);
                self.desk.clear_reason(NOT_DURABLE);
                self.desk.alert(Alert {
                    kind: "outbox_durable",
                    severity: Severity::Info,
                    detail: format!("{} takes events again", self.plan.path.display()),
                    count: None,
                });
            }
            Err(fault) => self.mend(&fault),
        }
    }

    /// A file that was opened late may hold positions that the ring has used:
    /// its rows are older and go in front.
    fn make_room(&mut self, positions: Option<(i64, i64)>) -> Result<(), Fault> {
        let (Some((least, greatest)), Some(first)) = (
            positions,
            self.ring.iter().next().map(|message| message.position),
        ) else {
            return Ok(());
        };
        if greatest < first {
            return Ok(());
        }
        // Old and new places must not overlap, or a row would meet another one on
        // the way.
        let by = 1 + (greatest - least).max(greatest - first);
        let disk = self.disk.as_mut().ok_or_else(gone)?;
        disk.transaction(|tx| disk::shift(tx, by))
    }
}
