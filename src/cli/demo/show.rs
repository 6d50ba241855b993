//! The course of the demonstration: broker, judge, daemon, one line for each
//! item, and the count at the end.

use std::io::Write;
use std::path::Path;
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Args;
use super::broker::Broker;
use super::judge::{Expected, Finding, Judge, Print, Prints, Tally};
use super::subscriber::{News, Subscriber};
use crate::camera::belt::{Belt, BeltScript, Truth};
use crate::camera::{Keeper, Source};
use crate::cli::daemon::{Daemon, Input, Start};
use crate::clock;
use crate::config::{
    self, BeltSource, Camera, Config, Mqtt, MqttVersion, OcrField, Reader, Service, SourcePlan,
};
use crate::service::Notifier;
use crate::service::signals::{self, Signal};

/// How long before an item comes into view the judge is told of it, ns: a code
/// may be read a moment before the whole label is in view.
const AHEAD_NS: u64 = 20_000_000_000;
/// One of so many labels is printed wrong.
const MISPRINT_EVERY: u64 = 50;
/// How often the count is brought up to date when nothing happens.
const TICK: Duration = Duration::from_millis(200);
/// How long the broker that runs in the same process may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the course waits for.
enum Told {
    News(News),
    Signal(Signal),
}

/// The parts of a `read` event that are shown or judged.
#[derive(Deserialize)]
struct ReadEvent {
    id: String,
    codes: Vec<ReadCode>,
    track: ReadTrack,
    #[serde(default)]
    ocr_skipped: Vec<ReadSkipped>,
    verdict: Option<ReadVerdict>,
}

#[derive(Deserialize)]
struct ReadSkipped {
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct ReadVerdict {
    pass: bool,
    mismatch: Option<ReadMismatch>,
}

#[derive(Deserialize)]
struct ReadMismatch {
    field: String,
    printed: String,
    encoded: Option<String>,
}

#[derive(Deserialize)]
struct ReadCode {
    text: Option<String>,
    version: u8,
    ecc: String,
    method: String,
}

#[derive(Deserialize)]
struct ReadTrack {
    frames: u32,
}

/// Runs the whole; false if the count says that something is wrong with the
/// daemon.
pub(super) fn run(args: &Args) -> Result<bool, String> {
    crate::service::log::apply(&config::Log {
        // The embedded broker writes of every connection that ends.
        level: "warn,rumqttd=off".into(),
        ..config::Log::default()
    });
    let state = tempfile::Builder::new()
        .prefix("beltscan-demo-")
        .tempdir()
        .map_err(|error| format!("no temporary directory: {error}"))?;
    let broker = Broker::start(args.port).map_err(|error| {
        format!(
            "the embedded broker finds no port from {} on: {error}",
            args.port
        )
    })?;

    let (tell, told) = mpsc::channel();
    let on_signal = tell.clone();
    let listener = signals::listen(move |signal| {
        // If nobody listens any more the run has ended.
        let _ = on_signal.send(Told::Signal(signal));
    })
    .map_err(|error| format!("signals cannot be caught: {error}"))?;
    let subscriber = Subscriber::start(broker.port(), move |news| {
        let _ = tell.send(Told::News(news));
    })
    .map_err(|error| format!("the judge cannot be started: {error}"))?;
    await_news(&told, |news| matches!(news, News::Listening))
        .ok_or("the embedded broker does not answer")?;

    let config = config(args, broker.port(), state.path());
    let plan = config.plan().map_err(|problems| problems.to_string())?;
    let SourcePlan::Belt(source) = &plan.camera.source else {
        return Err("the demonstration's camera is a belt".into());
    };
    let belt = Belt::new(&plan.camera, source, BeltScript::new()).map_err(|e| e.to_string())?;
    let truth = belt.truth();
    introduce(args, broker.port(), &plan);

    let keeper = Keeper::with_opener(plan.camera.clone(), move |_| {
        Ok(Box::new(belt.open()?) as Box<dyn Source>)
    });
    let (daemon, to_daemon) = Daemon::start(Start {
        config,
        file: None,
        keeper: Some(keeper),
        notifier: Notifier::silent(),
    })
    .map_err(|error| error.to_string())?;
    let meters = daemon.meters();
    let daemon = std::thread::Builder::new()
        .name("demo-daemon".into())
        .spawn(move || daemon.run())
        .map_err(|error| format!("the daemon cannot be started: {error}"))?;
    let mut course = Course {
        truth,
        judge: Judge::default(),
        next: 0,
        noreads: 0,
        prints: Prints::default(),
        begun_ns: clock::mono_ns(),
    };
    course.follow(args, &told);
    let stopped_ns = clock::mono_ns();
    // A daemon whose belt has come to its end has gone already.
    let _ = to_daemon.send(Input::Signal(Signal::Stop));
    let sound = daemon.join().unwrap_or(false);
    let asked = subscriber.finish().is_ok();
    let complete = asked && course.drain(&told).is_some();
    let tally = course.conclude(stopped_ns, complete);
    say(format_args!(
        "{} frames, {} dropped{}",
        meters.vision.frames.get(),
        meters.vision.dropped.get(),
        if meters.vision.dropped.get() > 0 {
            ": this machine is too busy or too slow to look at each"
        } else {
            ""
        }
    ));
    drop(subscriber);
    drop(broker);
    drop(listener);
    Ok(tally.good() && complete && sound)
}

/// The embedded defaults.
fn config(args: &Args, port: u16, state: &Path) -> Config {
    let belt = BeltSource::default();
    let speed = args.speed.unwrap_or(belt.speed_m_s);
    Config {
        reader: Reader {
            site: "demo".into(),
            line: "belt".into(),
            name: format!("demo-{}", process::id()),
            ..Reader::default()
        },
        camera: Camera {
            source: "belt".into(),
            fps: args.fps.unwrap_or(Camera::default().fps),
            exposure_us: Some(250),
            belt: BeltSource {
                seed: args.seed,
                speed_m_s: speed,
                items: args.items.unwrap_or(0),
                // The daemon is up before the first item comes.
                started_unix_ms: (clock::wall_ns() / 1_000_000).max(0) as u64 + 1000,
                print: cfg!(feature = "ocr"),
                misprint_every: if cfg!(feature = "ocr") {
                    MISPRINT_EVERY
                } else {
                    0
                },
                ..belt.clone()
            },
            ..Camera::default()
        },
        belt: config::Belt {
            speed_m_s: Some(speed),
            direction_deg: Some(0.0),
            module_mm: Some(belt.module_mm),
            px_per_mm: Some(belt.px_per_mm),
        },
        ocr: ocr(),
        rule: rules(),
        mqtt: Mqtt {
            url: format!("mqtt://127.0.0.1:{port}"),
            version: MqttVersion::V311,
            ..Mqtt::default()
        },
        service: Service {
            state_dir: Some(state.into()),
            ..Service::default()
        },
        ..Config::default()
    }
}

/// Lot and expiry below the code of the belt's labels, which are of version 3, 29
/// modules wide.
fn ocr() -> config::Ocr {
    let field = |name: &str, top: f32, prefix: &str| OcrField {
        name: name.into(),
        place: Some([-4.0, top, 37.0, 6.2]),
        prefix: Some(prefix.into()),
        ..OcrField::default()
    };
    if !cfg!(feature = "ocr") {
        return config::Ocr::default();
    }
    config::Ocr {
        field: vec![
            OcrField {
                pattern: Some("[A-Z][0-9]{6}".into()),
                ..field("lot", 33.0, "LOT ")
            },
            OcrField {
                date: Some("DD.MM.YY".into()),
                ..field("exp", 40.0, "EXP ")
            },
        ],
        // A demonstration runs on machines that do a hundred other things.
        wait_ms: 500,
        ..config::Ocr::default()
    }
}

fn rules() -> Vec<config::Rule> {
    let rule = |name: &str, field: &str, ai: &str| config::Rule {
        name: name.into(),
        field: Some(field.into()),
        equals_ai: Some(ai.into()),
        ..config::Rule::default()
    };
    match cfg!(feature = "ocr") {
        true => vec![rule("lot", "lot", "10"), rule("expiry", "exp", "17")],
        false => Vec::new(),
    }
}

fn introduce(args: &Args, port: u16, plan: &config::Plan) {
    say(format_args!(
        "A synthetic belt, the whole reader, and a broker on 127.0.0.1:{port}. Listen to it with\n\n    \
         mosquitto_sub -h 127.0.0.1 -p {port} -t '{}/#' -v\n",
        plan.reader.prefix
    ));
    match (args.length, args.items) {
        (Some(length), _) => say(format_args!("Ends after {length:?}, or with Ctrl-C.\n")),
        (None, Some(items)) => say(format_args!("Ends after {items} items, or with Ctrl-C.\n")),
        (None, None) => say(format_args!("Ctrl-C ends it.\n")),
    }
}

/// The run, as far as it has come.
struct Course {
    truth: Truth,
    judge: Judge,
    /// The next item that the judge is to be told of.
    next: u64,
    noreads: u64,
    prints: Prints,
    begun_ns: u64,
}

impl Course {
    /// Until the time is over, all items have passed, or somebody stops it.
    fn follow(&mut self, args: &Args, told: &Receiver<Told>) {
        let until = args.length.map(|length| Instant::now() + length);
        loop {
            let now_ns = clock::mono_ns();
            self.look(now_ns);
            if self.all_gone(now_ns) {
                return;
            }
            let left = until.map_or(TICK, |until| {
                until.saturating_duration_since(Instant::now()).min(TICK)
            });
            if left.is_zero() {
                return;
            }
            match told.recv_timeout(left) {
                Ok(Told::News(News::Message { topic, body })) => self.message(&topic, &body),
                Ok(Told::News(_)) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Told::Signal(Signal::Stop | Signal::StopNow)) => return,
                Ok(Told::Signal(_)) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Every item has left, and has an event or is missed. Not sooner: an item in
    /// view may yet be published again.
    fn all_gone(&self, now_ns: u64) -> bool {
        let Some(all) = self.truth.count() else {
            return false;
        };
        let last = all.checked_sub(1).and_then(|last| self.truth.item(last));
        let tally = self.judge.tally();
        last.and_then(|item| item.left_ns)
            .is_none_or(|left| left <= now_ns)
            && tally.read + tally.missed >= all
    }

    /// Takes what was published before the end; `None` if the end does not come.
    fn drain(&mut self, told: &Receiver<Told>) -> Option<()> {
        loop {
            match told.recv_timeout(PATIENCE).ok()? {
                Told::News(News::End) => return Some(()),
                Told::News(News::Message { topic, body }) => self.message(&topic, &body),
                Told::Signal(Signal::StopNow) => return None,
                _ => {}
            }
        }
    }

    /// Tells the judge what comes and what has gone.
    fn look(&mut self, now_ns: u64) {
        while let Some(item) = self.truth.item(self.next)
            && let Some(entered_ns) = item.entered_ns
            && entered_ns <= now_ns.saturating_add(AHEAD_NS)
        {
            for text in item.texts {
                self.judge.expect(Expected {
                    index: item.index,
                    text,
                    entered_ns,
                    left_ns: item.left_ns,
                    misprint: item.misprint,
                });
            }
            self.next += 1;
        }
        let missed = self.judge.advance(now_ns);
        self.tell_missed(missed);
    }

    fn tell_missed(&self, missed: Vec<Expected>) {
        for item in missed {
            let what = format!("item {:<5} MISSED  {}", item.index, shorten(&item.text));
            self.line(&what);
        }
    }

    fn message(&mut self, topic: &str, body: &[u8]) {
        // A code may be read a moment before its whole label is in view.
        self.look(clock::mono_ns());
        match topic.rsplit('/').next() {
            Some("read") => self.event(body),
            Some("noread") => {
                self.noreads += 1;
                self.line("no-read");
            }
            Some("alert") => self.line(&format!("alert: {}", String::from_utf8_lossy(body))),
            _ => {}
        }
    }

    fn event(&mut self, body: &[u8]) {
        let event: ReadEvent = match serde_json::from_slice(body) {
            Ok(event) => event,
            Err(error) => {
                self.judge.received(&String::from_utf8_lossy(body), &[]);
                self.line(&format!("an event that is no event: {error}"));
                return;
            }
        };
        let texts: Vec<_> = event
            .codes
            .iter()
            .map(|code| code.text.as_deref())
            .collect();
        let findings = self.judge.received(&event.id, &texts);
        let frames = event.track.frames;
        for (nth, finding) in findings.into_iter().enumerate() {
            let how = event.codes.get(nth).map_or_else(String::new, |code| {
                format!(
                    "{}-{} {} after {frames} frames",
                    code.version, code.ecc, code.method
                )
            });
            let text = event.codes.get(nth).and_then(|code| code.text.as_deref());
            let text = shorten(text.unwrap_or_default());
            let what = match finding {
                Finding::Read { index, misprint } => {
                    let print = self.print(&event, misprint);
                    format!("item {index:<5} {how}  {text}{print}")
                }
                Finding::Resent => format!("resent {}", event.id),
                Finding::Twice { .. } => format!("TWICE      {how}  {text}"),
                Finding::Wrong { .. } => format!("WRONG TEXT {how}  {text}"),
            };
            self.line(&what);
        }
    }

    /// Counts what the rules say of the print on an item, and tells it where it is
    /// worth a word.
    fn print(&mut self, event: &ReadEvent, misprint: bool) -> String {
        let Some(verdict) = &event.verdict else {
            return String::new();
        };
        let called = match (&verdict.mismatch, verdict.pass) {
            (Some(_), _) => Print::Wrong,
            (None, true) if event.ocr_skipped.is_empty() => Print::Right,
            _ => Print::Unread,
        };
        self.prints.count(misprint, called);
        match (&verdict.mismatch, misprint) {
            (Some(mismatch), _) => format!(
                "  {}: {} says \"{}\", the code \"{}\"",
                if misprint {
                    "WRONG LABEL"
                } else {
                    "CALLED WRONG"
                },
                mismatch.field,
                mismatch.printed.escape_debug(),
                mismatch
                    .encoded
                    .as_deref()
                    .unwrap_or_default()
                    .escape_debug()
            ),
            (None, true) => "  wrong label, not noticed".into(),
            (None, false) if called == Print::Unread => {
                let why: Vec<_> = event
                    .ocr_skipped
                    .iter()
                    .map(|skipped| format!("{} {}", skipped.name, skipped.reason))
                    .collect();
                format!("  print not read: {}", why.join(", "))
            }
            (None, false) => String::new(),
        }
    }

    fn line(&self, what: &str) {
        let Tally {
            seen, read, missed, ..
        } = self.judge.tally();
        let time = clock::mono_ns().saturating_sub(self.begun_ns) as f64 * 1e-9;
        say(format_args!(
            "{time:8.2} s  seen {seen:<5} read {read:<5} missed {missed:<4} {what}"
        ));
    }

    /// The count of the whole run.
    fn conclude(&mut self, stopped_ns: u64, complete: bool) -> Tally {
        let missed = self.judge.close(stopped_ns);
        self.tell_missed(missed);
        let tally = self.judge.tally();
        let Tally {
            seen,
            read,
            missed,
            twice,
            wrong,
            resent,
        } = tally;
        say(format_args!(
            "\n{seen} items seen, {read} read, {missed} missed, {twice} published twice, \
             {wrong} with a wrong text; {} no-reads, {resent} resends",
            self.noreads
        ));
        let Prints {
            found,
            passed,
            accused,
            right,
            unread,
        } = self.prints;
        if cfg!(feature = "ocr") {
            say(format_args!(
                "{} labels printed wrong on purpose: {found} found, {passed} passed; \
                 {accused} of {} printed right were called wrong; {unread} not read in time",
                found + passed,
                right + accused,
            ));
        }
        if !complete {
            say(format_args!(
                "The embedded broker did not answer at the end: the count is not complete."
            ));
        } else if !tally.good() && twice == 0 && wrong == 0 {
            say(format_args!("Nothing was read."));
        }
        tally
    }
}

fn shorten(text: &str) -> String {
    const MOST: usize = 44;
    let shown: String = text.chars().take(MOST).collect();
    let more = if text.chars().count() > MOST {
        "…"
    } else {
        ""
    };
    format!("\"{}\"{more}", shown.escape_debug())
}

/// A line on standard output. Nobody reading it is no reason to stop.
fn say(line: std::fmt::Arguments) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Waits for a message of this kind; `None` if it does not come.
fn await_news(told: &Receiver<Told>, wanted: impl Fn(&News) -> bool) -> Option<()> {
    loop {
        match told.recv_timeout(PATIENCE).ok()? {
            Told::News(news) if wanted(&news) => return Some(()),
            Told::Signal(Signal::Stop | Signal::StopNow) => return None,
            _ => {}
        }
    }
}
