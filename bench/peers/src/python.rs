//! Readers that live in Python, each a child process (`python/readers.py`).
//!
//! A picture goes to the child's standard input, what it read and how long that took
//! comes back as a line of JSON; the way between the two is in nobody's time.

use std::fmt::{self, Display};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};

use beltscan::camera::picture::Picture;
use beltscan::geometry::Point;
use serde::Deserialize;

use crate::readers::{Read, Reader};

/// Who is at home there.
pub const NAMES: [&str; 3] = ["opencv", "wechat", "zbar"];

/// Names the Python that has what `python/requirements.txt` lists.
pub const INTERPRETER: &str = "BELTSCAN_PEERS_PYTHON";

/// A running reader.
pub struct Child {
    name: &'static str,
    /// `None` once it could not be started again.
    running: Option<Running>,
}

struct Running {
    process: process::Child,
    pictures: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Why a reader is not there.
#[derive(Debug)]
pub enum Missing {
    /// No interpreter is named.
    Interpreter,
    /// It did not start.
    Start(String),
}

impl Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Interpreter => write!(
                f,
                "{INTERPRETER} is to name a Python with what python/requirements.txt lists"
            ),
            Missing::Start(why) => f.write_str(why),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    wall_s: f64,
    cpu_s: f64,
    reads: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    text: String,
    x: f32,
    y: f32,
}

impl Child {
    /// Starts the reader `name`, one of [`NAMES`], and waits until it is ready.
    pub fn start(name: &'static str) -> Result<Self, Missing> {
        let running = Some(Running::start(name)?);
        Ok(Self { name, running })
    }
}

impl Running {
    fn start(name: &str) -> Result<Self, Missing> {
        let python = std::env::var_os(INTERPRETER).ok_or(Missing::Interpreter)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/readers.py");
        let broken = |why: String| Missing::Start(format!("{}: {why}", python.display()));
        let mut process = Command::new(&python)
            .arg(script)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| broken(e.to_string()))?;
        let (Some(pictures), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(broken("no pipes".into()));
        };
        let mut running = Self {
            process,
            pictures,
            answers: BufReader::new(answers),
        };
        let mut line = String::new();
        match running.answers.read_line(&mut line) {
            Ok(1..) => Ok(running),
            _ => Err(broken("it ended before it was ready; see above".into())),
        }
    }

    /// `None`: it died of this picture.
    fn ask(&mut self, picture: &Picture) -> Option<Answer> {
        let size = [picture.width, picture.height].map(|n| (n as u32).to_le_bytes());
        self.pictures.write_all(&size.concat()).ok()?;
        self.pictures.write_all(&picture.luma).ok()?;
        self.pictures.flush().ok()?;
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Reader for Child {
    fn name(&self) -> &'static str {
        self.name
    }

    fn slow(&self) -> bool {
        true
    }

    fn read(&mut self, picture: &Picture) -> Vec<Read> {
        self.timed(picture, true).0
    }

    fn timed(&mut self, picture: &Picture, cpu: bool) -> (Vec<Read>, f64) {
        if self.running.is_none() {
            self.running = Running::start(self.name).ok();
        }
        let Some(answer) = self.running.as_mut().and_then(|child| child.ask(picture)) else {
            // Some pictures kill a peer: nothing read, and the next one has another.
            self.running = None;
            return (Vec::new(), 0.0);
        };
        let reads = answer.reads.into_iter().map(|told| Read {
            text: told.text,
            centre: Point::new(told.x, told.y),
        });
        let took_s = if cpu { answer.cpu_s } else { answer.wall_s };
        (reads.collect(), took_s)
    }
}
