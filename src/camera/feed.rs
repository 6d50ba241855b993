//! Pictures out of a child's standard output: a thread reads without pause and
//! keeps the newest (or, for recordings, hands over every one). How the bytes
//! fall into pictures is a [`Framing`]; what they mean is the caller's business.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{ChildStdout, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::child::{Child, Listener, no_thread};
use super::mjpeg::Splitter;
use super::pace::Pace;
use super::slot::{Ended, Keep, Shot, Slot, Waited};
use super::{CameraError, CameraErrorKind};
use crate::clock;

/// A child that takes longer than this for its first picture is wedged: RTSP
/// sources wait for a key frame, sensors settle.
const FIRST_PATIENCE: Duration = Duration::from_secs(15);

/// How a stream of bytes falls into pictures.
pub(super) trait Framing: Send {
    /// Reads one picture into `picture`, which is empty but keeps its memory.
    /// `false` at an end between two pictures. Memory is bounded by what the
    /// framing was made for.
    fn read(&mut self, from: &mut dyn BufRead, picture: &mut Vec<u8>) -> io::Result<bool>;
}

/// Raw pictures of a fixed number of bytes.
pub(super) struct Fixed(pub(super) usize);

impl Framing for Fixed {
    fn read(&mut self, from: &mut dyn BufRead, picture: &mut Vec<u8>) -> io::Result<bool> {
        read_raw(from, self.0, picture)
    }
}

/// Reads `bytes` bytes; `false` if there is none at all.
pub(super) fn read_raw(
    from: &mut dyn BufRead,
    bytes: usize,
    picture: &mut Vec<u8>,
) -> io::Result<bool> {
    let got = from.take(bytes as u64).read_to_end(picture)?;
    match got {
        0 => Ok(false),
        _ if got == bytes => Ok(true),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("in the middle of a picture ({got} of {bytes} bytes)"),
        )),
    }
}

/// JPEG pictures one after another.
pub(super) struct Jpegs(Splitter);

impl Jpegs {
    pub(super) fn new(limit: usize) -> Self {
        Self(Splitter::new(limit))
    }
}

impl Framing for Jpegs {
    fn read(&mut self, from: &mut dyn BufRead, picture: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let input = match from.fill_buf() {
                Ok([]) => return Ok(false),
                Ok(input) => input,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (used, whole) = self.0.push(input, picture);
            from.consume(used);
            if whole {
                return Ok(true);
            }
        }
    }
}

/// What [`Feed::next`] brought.
pub(super) enum Next {
    /// A picture.
    Shot(Shot),
    /// None yet.
    Idle,
    /// The stream has ended between two pictures and the child said that all
    /// went well.
    End,
}

/// A child and the thread that reads from it.
pub(super) struct Feed {
    child: Child,
    slot: Arc<Slot>,
    keep: Keep,
    /// When the last picture came.
    last: Instant,
    first: bool,
    timeout: Duration,
}

impl Feed {
    /// Starts `command` and the reading. A child that is silent for `timeout`
    /// counts as wedged.
    pub(super) fn start(
        command: &[String],
        stdin: Stdio,
        listener: Option<Listener>,
        framing: Box<dyn Framing>,
        keep: Keep,
        timeout: Duration,
    ) -> Result<Self, CameraError> {
        let (child, stdout) = Child::start(command, stdin, listener)?;
        let slot = Arc::new(Slot::default());
        let theirs = Arc::clone(&slot);
        thread::Builder::new()
            .name("camera-pipe".into())
            .spawn(move || read_all(stdout, framing, keep, &theirs))
            .map_err(|error| no_thread(&error))?;
        Ok(Self {
            child,
            slot,
            keep,
            last: Instant::now(),
            first: true,
            timeout,
        })
    }

    /// Waits at most `patience` for the next picture.
    pub(super) fn next(&mut self, patience: Duration) -> Result<Next, CameraError> {
        match self.slot.wait(patience) {
            Waited::Shot(shot) => {
                self.last = Instant::now();
                self.first = false;
                Ok(Next::Shot(shot))
            }
            Waited::Ended(ended) => self.end(&ended),
            Waited::Idle => self.idle(),
        }
    }

    /// Takes a picture's buffer for use again.
    pub(super) fn give_back(&self, shot: Shot) {
        self.slot.give_back(shot);
    }

    /// The program's name.
    pub(super) fn name(&self) -> &str {
        self.child.name()
    }

    fn idle(&self) -> Result<Next, CameraError> {
        let limit = if self.first {
            self.timeout.max(FIRST_PATIENCE)
        } else {
            self.timeout
        };
        if self.keep == Keep::Newest && self.last.elapsed() >= limit {
            return Err(CameraError {
                kind: CameraErrorKind::Wedged,
                message: format!(
                    "{} has sent no picture for {:.1} s{}",
                    self.child.name(),
                    self.last.elapsed().as_secs_f32(),
                    self.child.last_words()
                ),
                cure: "it is started again; if that does not help, look whether it runs from a \
                       shell, or raise camera.timeout-ms"
                    .into(),
            });
        }
        Ok(Next::Idle)
    }

    fn end(&mut self, ended: &Ended) -> Result<Next, CameraError> {
        // It has closed its output; it gets a moment to say how it ended, and
        // its last words to arrive.
        let status = self.child.ended(Duration::from_millis(500));
        if matches!(ended, Ended::Between) && status.is_some_and(|status| status.success()) {
            return Ok(Next::End);
        }
        let how = match status {
            Some(status) => status.to_string(),
            None => "it has closed its output".into(),
        };
        let (broken, cure) = match ended {
            Ended::Between => (
                String::new(),
                "it is started again; if that does not help, see what it says in a shell",
            ),
            Ended::Broken(why) => (
                format!(", {why}"),
                "it is started again; if the picture is torn, see that width and height are \
                 those that it writes",
            ),
        };
        Err(CameraError {
            kind: CameraErrorKind::Lost,
            message: format!(
                "{} has ended: {how}{broken}{}",
                self.child.name(),
                self.child.last_words()
            ),
            cure: cure.into(),
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.slot.abandon();
    }
}

fn read_all(stdout: ChildStdout, mut framing: Box<dyn Framing>, keep: Keep, slot: &Slot) {
    let mut from = BufReader::with_capacity(1 << 16, stdout);
    let mut ended = Ended::Between;
    let mut pace = Pace::default();
    for sequence in 0.. {
        let mut bytes = slot.buffer();
        match framing.read(&mut from, &mut bytes) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                ended = Ended::Broken(error.to_string());
                break;
            }
        }
        let shot = Shot {
            bytes,
            sequence,
            stamp_ns: pace.stamp(clock::mono_ns()),
        };
        if !slot.put(shot, keep) {
            return;
        }
    }
    slot.end(ended);
}
