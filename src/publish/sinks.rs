//! `stdout` and `file`: JSON lines of every event, once, when it has its number.
//!
//! They are a convenience beside the broker and hold nothing up that it needs: a
//! line that cannot be written is counted, said and given up.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::message::{Kind, Message};
use super::notice::{Alert, Severity};
use crate::config::{FileSink, Outputs};

/// Between two attempts on a file that cannot be written.
const RETRY: Duration = Duration::from_secs(5);

/// Reason of degradation while the file takes nothing.
const FILE: &str = "output_file";

/// The sinks that are configured; maybe none.
pub(super) struct Sinks {
    stdout: bool,
    file: Option<LineFile>,
    desk: Arc<Desk>,
}

impl Sinks {
    pub(super) fn new(outputs: &Outputs, desk: Arc<Desk>) -> Self {
        Sinks {
            stdout: outputs.stdout,
            file: outputs.file.clone().map(LineFile::new),
            desk,
        }
    }

    /// Writes `message` as one line to each sink. Gap notes are for subscribers
    /// only: a sink has had the events that they name.
    pub(super) fn put(&mut self, message: &Message) {
        if message.kind == Kind::Gap {
            return;
        }
        if self.stdout {
            let mut out = io::stdout().lock();
            if let Err(error) = write_line(&mut out, &message.body) {
                log::error!("standard output takes no events any more: {error}");
                self.stdout = false;
            }
        }
        if let Some(file) = &mut self.file {
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
}

fn write_line(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    // In one piece, so that a crash leaves no half line behind another's.
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

fn rotated(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}
