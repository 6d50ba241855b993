//! A child process that a source reads from: started in a process group of its
//! own, its last words on standard error kept for the error message, killed
//! with all its descendants and reaped when dropped.

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{CameraError, CameraErrorKind};

/// Lines of standard error that are kept, and the most bytes of each.
const TAIL_LINES: usize = 6;
const LINE_BYTES: usize = 300;

/// How long a killed child is waited for here; a thread takes over then. A
/// process inside a wedged driver can stay unkillable for long.
const REAP_PATIENCE: Duration = Duration::from_millis(200);

/// A running (or ended) child.
pub(super) struct Child {
    name: String,
    process: Option<std::process::Child>,
    tail: Tail,
}

/// The last lines that the child wrote to standard error.
#[derive(Clone, Default)]
struct Tail(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    last: VecDeque<String>,
    /// The child has closed its standard error.
    complete: bool,
}

/// Sees each line of standard error as it comes.
pub(super) type Listener = Box<dyn FnMut(&str) + Send>;

impl Child {
    /// Starts `command` (program and arguments), and returns it with its
    /// standard output. `listener` runs on a thread of its own.
    pub(super) fn start(
        command: &[String],
        stdin: Stdio,
        listener: Option<Listener>,
    ) -> Result<(Self, ChildStdout), CameraError> {
        let (program, arguments) = command.split_first().ok_or_else(|| CameraError {
            kind: CameraErrorKind::Unsupported,
            message: "no command is given".into(),
            cure: "set camera.command to a program and its arguments".into(),
        })?;
        let mut builder = Command::new(program);
        builder
            .args(arguments)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut builder, 0);
        let mut process = builder
            .spawn()
            .map_err(|error| cannot_start(program, &error))?;
        let streams = (process.stdout.take(), process.stderr.take());
        let child = Self {
            name: program.clone(),
            process: Some(process),
            tail: Tail::default(),
        };
        let (Some(stdout), Some(stderr)) = streams else {
            unreachable!("both streams were asked for");
        };
        let tail = child.tail.clone();
        thread::Builder::new()
            .name("camera-stderr".into())
            .spawn(move || tail.follow(stderr, listener))
            .map_err(|error| no_thread(&error))?;
        Ok((child, stdout))
    }

    /// Whether it has ended, and how; waits at most `patience` for that and for
    /// its last words to be there.
    pub(super) fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            let status = match self.process.as_mut()?.try_wait() {
                Ok(status) => status,
                Err(_) => return None,
            };
            let complete = status.is_some() && self.tail.lock().complete;
            if complete || Instant::now() >= deadline {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it wrote last, as ` (its last words: …)`, or nothing.
    pub(super) fn last_words(&self) -> String {
        let lines = self.tail.lock();
        if lines.last.is_empty() {
            return String::new();
        }
        let words: Vec<&str> = lines.last.iter().map(String::as_str).collect();
        format!(" (its last words: {})", words.join(" | "))
    }

    /// The program's name as given.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        kill(&mut process);
        let deadline = Instant::now() + REAP_PATIENCE;
        while let Ok(None) = process.try_wait() {
            if Instant::now() >= deadline {
                log::warn!("{} does not end, though killed; left to itself", self.name);
                // Without a thread the zombie stays until this process ends.
                let _ = thread::Builder::new()
                    .name("camera-reaper".into())
                    .spawn(move || process.wait());
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Kills the whole group, so that a shell's children go with the shell.
#[cfg(unix)]
fn kill(process: &mut std::process::Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    // Until it is reaped its id cannot belong to anybody else, even if it has
    // ended already.
    let group = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill(process: &mut std::process::Child) {
    let _ = process.kill();
}

impl Tail {
    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, stderr: ChildStderr, mut listener: Option<Listener>) {
        let mut line = Vec::new();
        for byte in BufReader::new(stderr).bytes() {
            match byte {
                // ffmpeg ends its progress lines with a carriage return.
                Ok(b'\n' | b'\r') => self.end_line(&mut line, &mut listener),
                Ok(byte) if line.len() < LINE_BYTES => line.push(byte),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.end_line(&mut line, &mut listener);
        self.lock().complete = true;
    }

    fn end_line(&self, line: &mut Vec<u8>, listener: &mut Option<Listener>) {
        let text = String::from_utf8_lossy(line).trim().to_owned();
        line.clear();
        if text.is_empty() {
            return;
        }
        if let Some(listener) = listener {
            listener(&text);
        }
        let last = &mut self.lock().last;
        if last.len() == TAIL_LINES {
            last.pop_front();
        }
        last.push_back(text);
    }
}

fn cannot_start(program: &str, error: &std::io::Error) -> CameraError {
    use std::io::ErrorKind;
    let (kind, cure) = match error.kind() {
        ErrorKind::NotFound => (
            CameraErrorKind::Absent,
            "install it, or give its whole path in camera.command",
        ),
        ErrorKind::PermissionDenied => (
            CameraErrorKind::Refused,
            "make it executable for the user that runs beltscan",
        ),
        _ => (
            CameraErrorKind::Absent,
            "look whether it runs from a shell of the same user",
        ),
    };
    CameraError {
        kind,
        message: format!("the program {program} cannot be started: {error}"),
        cure: cure.into(),
    }
}

/// The system gives no thread.
pub(super) fn no_thread(error: &std::io::Error) -> CameraError {
    CameraError {
        kind: CameraErrorKind::Refused,
        message: format!("no thread can be started: {error}"),
        cure: "raise TasksMax of the service, or the machine's memory".into(),
    }
}
