//! The queue's file: schema and statements. What is put into it, and when, is
//! decided in [`super::store`].

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, params};

use crate::geometry::Point;
use crate::item::LastPlace;
use crate::item::Published;
use crate::publish::message::{Kind, Message, ROW_COST};

/// Version of the schema, in the file's `user_version`.
const VERSION: i32 = 1;

/// Last events that a restart is told of.
const REMEMBERED: i64 = 256;

/// Dead letters kept; beyond it the oldest go.
const DEAD_LETTERS: i64 = 1000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta(
    key TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue(
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    epoch TEXT NOT NULL,
    seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    stamped_ns INTEGER,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS recent(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    wall_ns INTEGER NOT NULL,
    x REAL NOT NULL, y REAL NOT NULL,
    vx REAL NOT NULL, vy REAL NOT NULL,
    texts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS dead(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    epoch TEXT NOT NULL,
    seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    set_aside_at TEXT NOT NULL,
    body BLOB NOT NULL
);
";

/// Why the file cannot be used.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is damaged, or no outbox of this version.
    Corrupt(String),
    /// It cannot be written now. `certain` says that nothing of the failed
    /// transaction can be in the file.
    Unwritable { cause: String, certain: bool },
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let cause = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Fault::Corrupt(cause),
            Some(ErrorCode::SystemIoFailure) => Fault::Unwritable {
                cause,
                certain: false,
            },
            _ => Fault::Unwritable {
                cause,
                certain: true,
            },
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Corrupt(cause) | Fault::Unwritable { cause, .. } => f.write_str(cause),
        }
    }
}

/// What an opened file holds.
pub(super) struct Contents {
    pub epoch: String,
    /// Highest number given in this epoch; 0 if none.
    pub seq: u64,
    /// Least and greatest position, if there are rows.
    pub positions: Option<(i64, i64)>,
    pub rows: u64,
    pub cost: u64,
}

/// An open outbox file.
pub(super) struct Disk {
    db: Connection,
}

impl Disk {
    /// Opens the file, makes it if it is not there, and looks whether it is whole.
    pub(super) fn open(path: &Path) -> Result<(Disk, Contents), Fault> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Fault::Unwritable {
                cause: format!("{}: {error}", folder.display()),
                certain: true,
            })?;
        }
        let db = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        // Somebody with the sqlite3 tool may look into the file meanwhile.
        db.busy_timeout(Duration::from_secs(2))?;
        let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Fault::Corrupt(verdict));
        }
        let version: i32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != 0 && version != VERSION {
            return Err(Fault::Corrupt(format!(
                "it has version {version}, this program knows {VERSION}"
            )));
        }
        db.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        // The log's file shrinks back to this after a burst.
        db.pragma_update(None, "journal_size_limit", 4 << 20)?;
        let mut disk = Disk { db };
        let contents = disk.load()?;
        Ok((disk, contents))
    }

    fn load(&mut self) -> Result<Contents, Fault> {
        let version: i32 = self
            .db
            .query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version == 0 {
            let epoch = super::new_epoch();
            self.transaction(|tx| {
                tx.execute_batch(SCHEMA)?;
                tx.execute("INSERT INTO meta VALUES('epoch', ?1)", [&epoch])?;
                tx.execute("INSERT INTO meta VALUES('seq', 0)", [])?;
                tx.pragma_update(None, "user_version", VERSION)
            })?;
        }
        let broken = |error: rusqlite::Error| match error {
            // A missing row or a value of the wrong type: not a file of ours.
            rusqlite::Error::QueryReturnedNoRows | rusqlite::Error::InvalidColumnType(..) => {
                Fault::Corrupt(format!("the table meta is not as it was written: {error}"))
            }
            error => error.into(),
        };
        let meta = "SELECT value FROM meta WHERE key = ?1";
        let epoch: String = self
            .db
            .query_row(meta, ["epoch"], |row| row.get(0))
            .map_err(broken)?;
        let seq: i64 = self
            .db
            .query_row(meta, ["seq"], |row| row.get(0))
            .map_err(broken)?;
        let (least, greatest, rows, bytes): (Option<i64>, Option<i64>, i64, i64) =
            self.db.query_row(
                "SELECT min(position), max(position), count(*), coalesce(sum(length(body)), 0)
                 FROM queue",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?;
        let rows = rows.unsigned_abs();
        Ok(Contents {
            epoch,
            seq: seq.unsigned_abs(),
            positions: least.zip(greatest),
            rows,
            cost: bytes.unsigned_abs() + rows * ROW_COST,
        })
    }

    /// Runs `work` in one transaction: all of it is on disk afterwards, or none.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let tx = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let result = work(&tx)?;
        tx.commit()?;
        Ok(result)
    }

    /// The next messages behind `after`: at most `limit`, at most `bytes` of bodies
    /// (but one at least).
    pub(super) fn fetch(
        &self,
        after: i64,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        let mut statement = self.db.prepare_cached(
            "SELECT position, kind, epoch, seq, last_seq, reason, stamped_ns, body
             FROM queue WHERE position > ?1 ORDER BY position LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let (mut messages, mut size) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let message = message(row)?;
            size += message.body.len();
            if size > bytes && !messages.is_empty() {
                break;
            }
            messages.push(message);
        }
        Ok(messages)
    }

    /// Stamp of the oldest event that was stamped by a synchronised clock.
    pub(super) fn first_stamp(&self) -> Result<Option<i64>, Fault> {
        let mut statement = self.db.prepare_cached(
            "SELECT stamped_ns FROM queue
             WHERE kind <> 'gap' AND stamped_ns IS NOT NULL ORDER BY position LIMIT 1",
        )?;
        let mut rows = statement.query([])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    /// The items published last, oldest first.
    pub(super) fn remembered(&self) -> Result<Vec<Published>, Fault> {
        let mut statement = self
            .db
            .prepare("SELECT wall_ns, x, y, vx, vy, texts FROM recent ORDER BY number")?;
        let rows = statement.query_map([], |row| {
            let texts: String = row.get(5)?;
            Ok(Published {
                place: LastPlace {
                    wall_ns: row.get(0)?,
                    centre: Point::new(row.get(1)?, row.get(2)?),
                    velocity: Point::new(row.get(3)?, row.get(4)?),
                },
                texts: serde_json::from_str(&texts).unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn message(row: &Row) -> rusqlite::Result<Message> {
    let kind: String = row.get(1)?;
    let seq: i64 = row.get(3)?;
    let last_seq: i64 = row.get(4)?;
    Ok(Message {
        position: row.get(0)?,
        kind: Kind::from_leaf(&kind).ok_or(rusqlite::Error::InvalidQuery)?,
        epoch: row.get(2)?,
        seq: seq.unsigned_abs(),
        last_seq: last_seq.unsigned_abs(),
        reason: row.get(5)?,
        stamped_ns: row.get(6)?,
        body: row.get(7)?,
    })
}

/// Appends `message` to the queue.
pub(super) fn insert(tx: &Transaction, message: &Message) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO queue VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            message.position,
            message.kind.leaf(),
            message.epoch,
            // Counters start at 1 and never come near 2^63.
            message.seq as i64,
            message.last_seq as i64,
            message.reason,
            message.stamped_ns,
            message.body,
        ])?;
    Ok(())
}

/// Notes the epoch and the highest number given in it.
pub(super) fn set_number(tx: &Transaction, epoch: &str, seq: u64) -> rusqlite::Result<()> {
    let mut statement = tx.prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?;
    statement.execute(params!["epoch", epoch])?;
    statement.execute(params!["seq", seq as i64])?;
    Ok(())
}

/// Takes the messages at `positions` off the queue. Returns those that were not
/// there.
pub(super) fn delete(
    tx: &Transaction,
    positions: impl IntoIterator<Item = i64>,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = tx.prepare_cached("DELETE FROM queue WHERE position = ?1")?;
    let mut missing = Vec::new();
    for position in positions {
        if statement.execute([position])? == 0 {
            missing.push(position);
        }
    }
    Ok(missing)
}

/// Moves every row down by `by` positions.
pub(super) fn shift(tx: &Transaction, by: i64) -> rusqlite::Result<()> {
    tx.execute("UPDATE queue SET position = position - ?1", [by])?;
    Ok(())
}

/// The oldest messages that are no gap notes, until they cost `cost` or more.
pub(super) fn oldest(tx: &Transaction, cost: u64) -> rusqlite::Result<Vec<Victim>> {
    victims(
        tx,
        "SELECT position, epoch, seq, length(body) FROM queue
         WHERE kind <> 'gap' ORDER BY position",
        [],
        cost,
    )
}

/// The messages, gap notes excepted, that were stamped before `wall_ns` by a clock
/// that was synchronised.
pub(super) fn stamped_before(tx: &Transaction, wall_ns: i64) -> rusqlite::Result<Vec<Victim>> {
    victims(
        tx,
        "SELECT position, epoch, seq, length(body) FROM queue
         WHERE kind <> 'gap' AND stamped_ns < ?1 ORDER BY position",
        [wall_ns],
        u64::MAX,
    )
}

/// A message that is given up.
pub(super) struct Victim {
    pub position: i64,
    pub epoch: String,
    pub seq: u64,
    pub cost: u64,
}

fn victims(
    tx: &Transaction,
    query: &str,
    parameters: impl rusqlite::Params,
    enough: u64,
) -> rusqlite::Result<Vec<Victim>> {
    let mut statement = tx.prepare_cached(query)?;
    let mut rows = statement.query(parameters)?;
    let (mut victims, mut cost) = (Vec::new(), 0);
    while cost < enough {
        let Some(row) = rows.next()? else { break };
        let seq: i64 = row.get(2)?;
        let length: i64 = row.get(3)?;
        let victim = Victim {
            position: row.get(0)?,
            epoch: row.get(1)?,
            seq: seq.unsigned_abs(),
            cost: length.unsigned_abs() + ROW_COST,
        };
        cost += victim.cost;
        victims.push(victim);
    }
    Ok(victims)
}

/// The gap notes in the queue.
pub(super) fn notes(tx: &Transaction) -> rusqlite::Result<Vec<Message>> {
    tx.prepare_cached(
        "SELECT position, kind, epoch, seq, last_seq, reason, stamped_ns, body
         FROM queue WHERE kind = 'gap' ORDER BY position",
    )?
    .query_map([], message)?
    .collect()
}

/// Remembers where a published item was, for the restart.
pub(super) fn remember(tx: &Transaction, item: &Published) -> rusqlite::Result<()> {
    let texts = serde_json::to_string(&item.texts).unwrap_or_default();
    let place = &item.place;
    tx.prepare_cached(
        "INSERT INTO recent(wall_ns, x, y, vx, vy, texts) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        place.wall_ns,
        place.centre.x,
        place.centre.y,
        place.velocity.x,
        place.velocity.y,
        texts
    ])?;
    Ok(())
}

/// Forgets all but the items published last.
pub(super) fn forget_old(tx: &Transaction) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM recent WHERE number <= (SELECT max(number) FROM recent) - ?1")?
        .execute([REMEMBERED])?;
    Ok(())
}

/// Lays `message` aside as a dead letter.
pub(super) fn bury(
    tx: &Transaction,
    message: &Message,
    reason: &str,
    at: &str,
) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO dead(kind, epoch, seq, reason, set_aside_at, body)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            message.kind.leaf(),
            message.epoch,
            message.seq as i64,
            reason,
            at,
            message.body
        ],
    )?;
    tx.execute(
        "DELETE FROM dead WHERE number <= (SELECT max(number) FROM dead) - ?1",
        [DEAD_LETTERS],
    )?;
    Ok(())
}
