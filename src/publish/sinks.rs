//! `stdout` and `file`: JSON lines of every event, once, when it has its number.
//!
//! They have a thread of their own, so that a reader of standard output that stands
//! still does not hold up the broker: with one, what the sinks cannot take in time
//! is given up, and said. Without one they are all there is: then events wait for
//! them, as long as it takes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::message::{Kind, Message};
use super::notice::{Alert, Severity};
use crate::config::{FileSink, Outputs};

/// Events that may wait for the sinks.
const WAITING: usize = 1024;

/// Between two attempts on a file that cannot be written.
const RETRY: Duration = Duration::from_secs(5);

/// How long the sinks may take for what waits when the reader stops.
const LAST: Duration = Duration::from_secs(5);

/// Reasons of degradation.
const FILE: &str = "output_file";
const SLOW: &str = "output";

/// Hears of each event that the sinks have had.
pub(super) type Done = Box<dyn Fn(&Message) + Send>;

/// The way to the sinks' thread.
pub(super) struct Sinks {
    lines: SyncSender<Message>,
    ended: Receiver<()>,
    desk: Arc<Desk>,
    /// Wait for the sinks rather than give a line up.
    patient: bool,
}

impl Sinks {
    /// Starts the thread, if there are sinks or if `done` must hear of each event:
    /// it is called when the sinks have had it.
    pub(super) fn start(
        outputs: &Outputs,
        desk: &Arc<Desk>,
        done: Option<Done>,
    ) -> io::Result<Option<Sinks>> {
        if !outputs.stdout && outputs.file.is_none() && done.is_none() {
            return Ok(None);
        }
        let (lines, work) = sync_channel::<Message>(WAITING);
        // Hears nothing but its end.
        let (alive, ended) = sync_channel(1);
        let patient = done.is_some();
        let mut writer = Writer {
            stdout: outputs.stdout,
            file: outputs.file.clone().map(LineFile::new),
            desk: Arc::clone(desk),
        };
        std::thread::Builder::new()
            .name("sinks".into())
            .spawn(move || {
                let _alive: SyncSender<()> = alive;
                for message in work {
                    writer.put(&message);
                    if let Some(done) = &done {
                        done(&message);
                    }
                }
            })?;
        Ok(Some(Sinks {
            lines,
            ended,
            desk: Arc::clone(desk),
            patient,
        }))
    }

    /// Gives `message` to the sinks.
    pub(super) fn put(&self, message: &Message) {
        if self.patient {
            // The thread ends after us; there is no error.
            let _ = self.lines.send(message.clone());
            return;
        }
        match self.lines.try_send(message.clone()) {
            Ok(()) => self.desk.clear_reason(SLOW),
            Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) if self.desk.set_reason(SLOW) => self.desk.alert(Alert {
                kind: "sink_slow",
                severity: Severity::Warning,
                detail: format!(
                    "standard output or output.file has not taken the last {WAITING} events in \
                     time: events are missing there, the broker gets them all"
                ),
                count: None,
            }),
            Err(TrySendError::Full(_)) => {}
        }
    }

    /// Waits until the sinks have had what was given to them, but not for ever.
    pub(super) fn finish(self) {
        drop(self.lines);
        if let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(LAST) {
            log::error!("standard output or output.file did not take the last events");
        }
    }
}

struct Writer {
    stdout: bool,
    file: Option<LineFile>,
    desk: Arc<Desk>,
}

impl Writer {
    /// Writes `message` as one line to each sink. Gap notes are for subscribers
    /// only: a sink has had the events that they name.
    fn put(&mut self, message: &Message) {
        if message.kind == Kind::Gap {
            return;
        }
        if self.stdout
            && let Err(error) = write_line(&mut io::stdout().lock(), &message.body)
        {
            log::error!("standard output takes no events any more: {error}");
            self.stdout = false;
        }
        let Some(file) = &mut self.file else { return };
        match file.put(&message.body) {
            Ok(()) => self.desk.clear_reason(FILE),
            Err(error) if self.desk.set_reason(FILE) => self.desk.alert(Alert {
                kind: "sink_failed",
                severity: Severity::Warning,
                detail: format!(
                    "events are not written to {} ({error}): see output.file.path",
                    file.plan.path.display()
                ),
                count: None,
            }),
            Err(error) => log::debug!("an event was not written to the file: {error}"),
        }
    }
}

fn write_line(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    // In one piece, so that a crash leaves no half line.
    let mut line = Vec::with_capacity(body.len() + 1);
    line.extend_from_slice(body);
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

/// A file of lines that is renamed when it has grown.
struct LineFile {
    plan: FileSink,
    open: Option<(File, u64)>,
    failed: Option<Instant>,
}

impl LineFile {
    fn new(plan: FileSink) -> Self {
        LineFile {
            plan,
            open: None,
            failed: None,
        }
    }

    fn put(&mut self, body: &[u8]) -> io::Result<()> {
        if self.failed.is_some_and(|at| at.elapsed() < RETRY) {
            return Err(io::Error::other("it could not be written a moment ago"));
        }
        let result = self.try_put(body);
        self.failed = result.is_err().then(Instant::now);
        if result.is_err() {
            self.open = None;
        }
        result
    }

    fn try_put(&mut self, body: &[u8]) -> io::Result<()> {
        let limit = u64::from(self.plan.rotate_mb) << 20;
        if let Some((_, size)) = &self.open
            && limit > 0
            && size + body.len() as u64 >= limit
        {
            self.open = None;
            std::fs::rename(&self.plan.path, rotated(&self.plan.path))?;
        }
        let (file, size) = match &mut self.open {
            Some(open) => open,
            closed => {
                let file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&self.plan.path)?;
                let size = file.metadata()?.len();
                closed.insert((file, size))
            }
        };
        write_line(file, body)?;
        *size += body.len() as u64 + 1;
        Ok(())
    }
}

fn rotated(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_grown_is_renamed_and_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.jsonl");
        let mut file = LineFile::new(FileSink {
            path: path.clone(),
            rotate_mb: 1,
        });
        let body = vec![b'x'; 400_000];
        for _ in 0..3 {
            file.put(&body).expect("written");
        }
        let length = |path: &Path| std::fs::metadata(path).expect("there").len();
        assert_eq!(length(&rotated(&path)), 2 * 400_001);
        assert_eq!(length(&path), 400_001);
        // What was there is gone on with.
        let mut again = LineFile::new(file.plan.clone());
        again.put(b"{}").expect("written");
        assert_eq!(length(&path), 400_004);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_no_panic() {
        let mut file = LineFile::new(FileSink {
            path: "/dev/full".into(),
            rotate_mb: 0,
        });
        assert!(file.put(b"{}").is_err());
        assert!(file.put(b"{}").is_err(), "it is not tried at every event");
    }
}
