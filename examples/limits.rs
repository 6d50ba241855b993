//! How `beltscan run` does under limits: the time from exec to READY, its resident
//! memory on a belt with text, and what is read under CPU quotas, compared with a
//! run without.
//!
//! ```text
//! cargo build --release --bin beltscan
//! cargo run --release --example limits -- [--seconds 60] [--rounds 1]
//!     [--quotas 20,50,100,200] [--gap-mm 120] [PATH/TO/beltscan]
//! ```
//!
//! The belt (1280x800, 60 frames a second, labels with lot and expiry) is drawn
//! once, before anything runs, and played to every run from outside of its control
//! group, through `cat` as a camera (`source = "pipe"`): what is measured is the
//! daemon with a child, not the belt. Every run sees the same frames. Quotas need
//! control groups that this user can make; without them that part is left out and
//! says so. Frames: 1 MB each, `--seconds` of them are held in memory. Under quotas
//! they are played `--rounds` times on end, 60 for an hour; an item counts in each
//! round.

#[path = "support/groups.rs"]
mod groups;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use beltscan::camera::belt::BeltCamera;
use beltscan::camera::{Grab, Source};
use beltscan::clock::mono_ns;
use beltscan::config::{Config, SourcePlan};
use beltscan::frame::Pool;
use clap::Parser;
use groups::Group;
use serde_json::Value;
use support::mosquitto::Mosquitto;

const SIZE: (usize, usize) = (1280, 800);
const FPS: f64 = 60.0;
const MEMORY_MAX: u64 = 128 << 20;

const BELT: &str = "[camera]\nsource = \"belt\"\nwidth = 1280\nheight = 800\nfps = 60\n\
    exposure-us = 250\n[camera.belt]\nseed = 7\nprint = true\nreal-time = false\n";

const TEXT: &str = r#"
[[ocr.field]]
name = "lot"
box = [-4, 33, 37, 6.2]
code-ai = "10"
prefix = "LOT "
pattern = "[A-Z][0-9]{6}"
[[ocr.field]]
name = "exp"
box = [-4, 40, 37, 6.2]
prefix = "EXP "
date = "DD.MM.YY"
"#;

#[derive(clap::Parser)]
struct Args {
    /// Length of the belt, seconds
    #[arg(long, default_value_t = 60)]
    seconds: usize,
    /// How often the belt is played on end under each quota
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// CPU quotas in per cent, beside the run without
    #[arg(long, value_delimiter = ',', default_values_t = [20, 50, 100, 200])]
    quotas: Vec<u64>,
    /// Mean gap between boxes in millimetres: less is more load
    #[arg(long, default_value_t = 120)]
    gap_mm: u32,
    /// The daemon
    #[arg(default_value = "target/release/beltscan")]
    program: PathBuf,
}

fn main() {
    let args = Args::parse();
    ready(&args.program);
    let belt = Belt::draw(args.seconds, args.gap_mm);
    println!(
        "belt: {} frames, {} items wholly on it, a box each {} mm",
        belt.frames.len(),
        belt.texts.len(),
        args.gap_mm
    );
    let Some(broker) = Mosquitto::start("limits") else {
        return;
    };
    let play = Play {
        program: &args.program,
        belt: &belt,
        broker: &broker,
    };
    let without_text = play.run(None, "", 1);
    without_text.tell_memory("without text", 40);
    let unlimited = play.run(None, TEXT, 1);
    unlimited.tell_memory("with text", 110);
    unlimited.tell("no quota", None);
    for quota in args.quotas {
        match Group::make(Some(quota), Some(MEMORY_MAX)) {
            Ok(group) => {
                let run = play.run(Some((group, quota)), TEXT, args.rounds);
                run.tell(&format!("{quota} %"), Some(&unlimited));
            }
            Err(error) => println!("LEFT OUT: no control group can be made here: {error}"),
        }
    }
}

/// From exec to READY, twenty times, on a belt of the daemon's own.
fn ready(program: &Path) {
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("notify");
            let socket = UnixDatagram::bind(&path).expect("a socket");
            let config = write(folder.path(), &BELT.replace("false", "true"), TEXT);
            let started = Instant::now();
            let mut child = daemon(&mut Command::new(program), &config)
                .env("NOTIFY_SOCKET", &path)
                .spawn()
                .expect("starts");
            let mut buffer = [0; 4096];
            let took = loop {
                let bytes = socket.recv(&mut buffer).expect("it speaks");
                if String::from_utf8_lossy(&buffer[..bytes]).contains("READY=1") {
                    break started.elapsed();
                }
            };
            stop(&mut child);
            took
        })
        .collect();
    times.sort();
    println!(
        "READY after exec: median {:.0} ms, most {:.0} ms of {} starts, text wanted (mark: 300 ms)",
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() - 1].as_secs_f64() * 1e3,
        times.len()
    );
}

/// The frames of a belt, and what is on it.
struct Belt {
    frames: Vec<Vec<u8>>,
    texts: BTreeSet<String>,
}

impl Belt {
    fn length(&self) -> Duration {
        Duration::from_secs_f64(self.frames.len() as f64 / FPS)
    }

    fn draw(seconds: usize, gap_mm: u32) -> Self {
        let config = Config::parse(&format!("{BELT}gap-mm = {gap_mm}.0\n")).expect("sound");
        let plan = config.plan().expect("a plan");
        let SourcePlan::Belt(belt) = &plan.camera.source else {
            unreachable!("it is a belt");
        };
        let mut camera = BeltCamera::open(&plan.camera, belt).expect("opens");
        let pool = Pool::new(2, SIZE.0 * SIZE.1);
        let mut frames = Vec::new();
        let mut stamps = (u64::MAX, 0);
        while frames.len() < seconds * FPS as usize {
            match camera.grab(&pool, Duration::from_secs(1)).expect("frames") {
                Grab::Frame(frame) => {
                    stamps = (stamps.0.min(frame.stamp.mono_ns), frame.stamp.mono_ns);
                    let luma = frame.luma();
                    let rows = (0..SIZE.1).flat_map(|y| luma.row(y).iter().copied());
                    frames.push(rows.collect());
                }
                Grab::Idle => {}
                Grab::End => break,
            }
        }
        let truth = camera.truth();
        let whole = |at: Option<u64>| at.is_some_and(|at| (stamps.0..stamps.1).contains(&at));
        let texts = truth
            .entered_by(0, stamps.1)
            .filter(|item| whole(item.entered_ns) && whole(item.left_ns))
            .flat_map(|item| item.texts)
            .collect();
        Self { frames, texts }
    }
}

/// Plays a belt to a daemon.
struct Play<'a> {
    program: &'a Path,
    belt: &'a Belt,
    broker: &'a Mosquitto,
}

/// What came of it.
struct Run {
    read: usize,
    /// Items published more than once: what each of their events says.
    repeated: Vec<Vec<String>>,
    of: usize,
    texts: usize,
    rounds: u32,
    elapsed: Duration,
    /// Frames that could not be given at their time.
    late: u64,
    /// At the end and at most, KiB.
    resident: [u64; 2],
    stats: Vec<Value>,
    group: Option<Account>,
}

/// Of a control group: quota in processors, time used, periods and throttled ones,
/// most memory in bytes, kills.
type Account = (f64, Duration, (u64, u64), u64, u64);

impl Play<'_> {
    fn run(&self, group: Option<(Group, u64)>, text: &str, rounds: u32) -> Run {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("frames");
        let made = Command::new("mkfifo").arg(&fifo).status();
        assert!(made.expect("mkfifo runs").success());
        let follower = self.broker.follow();
        let camera = format!(
            "[camera]\nsource = \"pipe\"\ncommand = [\"cat\", {fifo:?}]\npipe-format = \"gray8\"\n\
             width = 1280\nheight = 800\nfps = 60\nexposure-us = 250\ntimeout-ms = 20000\n\
             [mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n",
            self.broker.port()
        );
        let config = write(folder.path(), &camera, text);
        let log = File::create(folder.path().join("log")).expect("a file");
        let mut command = match &group {
            Some((group, _)) => group.command(self.program),
            None => Command::new(self.program),
        };
        let mut child = daemon(&mut command, &config)
            .stderr(log)
            .spawn()
            .expect("starts");
        // Opened once `cat` reads.
        let pipe = File::options().write(true).open(&fifo).expect("opens");
        let used = group.as_ref().map(|(group, _)| group.used());
        let (started, started_ns) = (Instant::now(), mono_ns());
        let late = play(&self.belt.frames, rounds, pipe);
        let elapsed = started.elapsed();
        let resident = ["VmRSS:", "VmHWM:"].map(|field| kib(child.id(), field));
        let group = group.as_ref().map(|(group, percent)| {
            let used = group.used() - used.unwrap_or_default();
            (
                *percent as f64 / 100.0,
                used,
                group.periods(),
                group.most_memory(),
                group.killed(),
            )
        });
        stop(&mut child);
        let events = fs::read_to_string(folder.path().join("events.jsonl")).unwrap_or_default();
        // By text and the round in which it was seen: what each event says.
        let mut read: BTreeMap<_, Vec<String>> = BTreeMap::new();
        let mut texts = 0;
        for event in events.lines() {
            let event: Value = serde_json::from_str(event).expect("JSON");
            let captured_ns = event["captured_mono_ns"].as_u64().unwrap_or_default();
            let since = u128::from(captured_ns.saturating_sub(started_ns));
            let round = since / self.belt.length().as_nanos();
            for code in event["codes"].as_array().into_iter().flatten() {
                let text = code["text"].as_str().unwrap_or_default();
                if self.belt.texts.contains(text) {
                    let (at, track) = (&code["corners"][0], &event["track"]);
                    let said = format!(
                        "{text} at {:.3} s, {at}, {}, {track}",
                        since as f64 / 1e9,
                        code["method"]
                    );
                    read.entry((text.to_owned(), round)).or_default().push(said);
                }
            }
            texts += event["ocr"].as_array().map_or(0, Vec::len);
        }
        let stats = follower.heard("stats");
        Run {
            read: read.len(),
            repeated: read.into_values().filter(|said| said.len() > 1).collect(),
            of: self.belt.texts.len() * rounds as usize,
            texts,
            rounds,
            elapsed,
            late,
            resident,
            stats,
            group,
        }
    }
}

impl Run {
    fn last(&self, key: &str) -> Value {
        self.stats
            .last()
            .map_or(Value::Null, |last| last[key].clone())
    }

    fn figures(&self, key: &str) -> Vec<f64> {
        let mut all: Vec<f64> = self.stats.iter().filter_map(|s| s[key].as_f64()).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn tell_memory(&self, name: &str, mark: u64) {
        println!(
            "resident {name}: {:.1} MB at the end, {:.1} MB at most; {} lines of text (mark: {mark} MB)",
            self.resident[0] as f64 / 1024.0,
            self.resident[1] as f64 / 1024.0,
            self.last("text_lines"),
        );
    }

    /// The governor's levels, one after the other, each with how many windows it held.
    fn levels(&self) -> String {
        let levels: Vec<_> = self.stats.iter().map(|s| &s["governor_level"]).collect();
        let runs = levels.chunk_by(|a, b| a == b);
        let runs: Vec<_> = runs
            .map(|run| format!("{} ({})", run[0], run.len()))
            .collect();
        runs.join(", ")
    }

    fn tell(&self, name: &str, unlimited: Option<&Run>) {
        let p99 = self.figures("p99_ms");
        let deadline = 1000.0 / FPS;
        let within = p99.iter().filter(|&&ms| ms <= deadline).count();
        let repeated: usize = self.repeated.iter().map(|said| said.len() - 1).sum();
        println!(
            "{name}: {} of {} items read{}, {} repeated, {} texts; frame p99 {:.1} ms (median of 5 s windows), \
             {:.1} ms worst, {within} of {} windows within {deadline:.1} ms; {} of {} frames dropped, \
             {} given late; the reader failed on {}",
            self.read,
            self.of,
            unlimited.map_or(String::new(), |all| format!(
                " ({:.1} % of those without quota)",
                100.0 * self.read as f64 / (all.read * self.rounds as usize).max(1) as f64
            )),
            repeated,
            self.texts,
            p99.get(p99.len() / 2).copied().unwrap_or(f64::NAN),
            p99.last().copied().unwrap_or(f64::NAN),
            p99.len(),
            self.last("dropped"),
            self.last("frames"),
            self.late,
            self.last("reader_failures"),
        );
        for said in self.repeated.iter().flatten() {
            println!("    repeated: {said}");
        }
        if let Some((quota, used, (periods, throttled), memory, killed)) = self.group {
            println!(
                "    {:.1} % of the quota used, {throttled} of {periods} periods throttled; memory of the \
                 group at most {:.1} MB (page cache and children), of the daemon {:.1} MB at the end, \
                 {:.1} MB at most; {killed} OOM kills; governor levels (and windows) {}",
                100.0 * used.as_secs_f64() / (quota * self.elapsed.as_secs_f64()),
                memory as f64 / 1_048_576.0,
                self.resident[0] as f64 / 1024.0,
                self.resident[1] as f64 / 1024.0,
                self.levels()
            );
        } else {
            println!("    governor levels (and windows) {}", self.levels());
        }
    }
}

/// Writes frames at their time, `rounds` times; where the reader does not keep up,
/// frames are left out as a camera would. How many.
fn play(frames: &[Vec<u8>], rounds: u32, mut pipe: File) -> u64 {
    let started = Instant::now();
    let mut late = 0;
    let all = (0..rounds).flat_map(|_| frames);
    for (number, frame) in all.enumerate() {
        let due = started + Duration::from_secs_f64(number as f64 / FPS);
        match due.checked_duration_since(Instant::now()) {
            Some(early) => std::thread::sleep(early),
            None if due.elapsed().as_secs_f64() > 1.0 / FPS => {
                late += 1;
                continue;
            }
            None => {}
        }
        if pipe.write_all(frame).is_err() {
            break;
        }
    }
    late
}

fn write(folder: &Path, camera: &str, text: &str) -> PathBuf {
    let config = folder.join("beltscan.toml");
    let (state, events) = (folder.join("state"), folder.join("events.jsonl"));
    let text = format!(
        "{camera}{text}\n[service]\nstate-dir = {state:?}\nstats-s = 5\n[output.file]\npath = {events:?}\n"
    );
    fs::write(&config, text).expect("written");
    config
}

fn daemon<'a>(command: &'a mut Command, config: &Path) -> &'a mut Command {
    command
        .args(["run", "--config"])
        .arg(config)
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

fn stop(child: &mut Child) {
    let pid = child.id().to_string();
    let _ = Command::new("kill").args(["-s", "TERM", &pid]).status();
    let _ = child.wait();
}

fn kib(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
