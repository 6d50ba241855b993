//! The whole daemon: puts the rooms together and keeps the house while it runs.
//!
//! The story of a start: the outbox opens and the publisher's threads run; the
//! pipeline's threads run; then READY. A camera or a broker that is away holds
//! nothing back: it shows as `degraded`. From then on the main thread waits for
//! signals and commands, feeds the watchdog while every stage moves, and tells
//! how things stand.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::camera::Keeper;
use crate::clock;
use crate::command::{Command, Reply, Request};
use crate::config::{Config, Plan, Problems, TooLittleMemory};
use crate::limits::{Accounting, CONTROLLER_CURE, System};
use crate::pipeline::governor::{Decision, LADDER, Reason};
use crate::pipeline::{self, Parts, Pipeline};
use crate::publish::{Alert, PublishError, Publisher, Setup, Severity};
use crate::service::signals::Signal;
use crate::service::{Health, Monitor, Notifier, Watchdog, heap};
use crate::snapshot::{Meters, Pulses};

/// How often the main loop turns without being asked to.
const TURN: Duration = Duration::from_millis(250);

/// What the main loop waits for.
pub enum Input {
    /// From outside the process.
    Signal(Signal),
    /// From an operator.
    Request(Request),
}

/// A daemon that runs.
pub struct Daemon {
    config: Config,
    plan: Arc<Plan>,
    /// The file that a reload reads; `None`: there is none (the demo).
    file: Option<PathBuf>,
    meters: Arc<Meters>,
    publisher: Publisher,
    pipeline: Pipeline,
    monitor: Monitor,
    notifier: Notifier,
    watchdog: Watchdog,
    input: Receiver<Input>,
    next_second: Instant,
    next_stats: Instant,
    camera_was_up: Option<bool>,
}

/// Why a daemon cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration has faults.
    Config(Problems),
    /// The control group has less memory than the configuration needs.
    Memory(TooLittleMemory),
    /// Publishing cannot begin.
    Publish(PublishError),
    /// A thread cannot be started.
    Thread(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Config(problems) => write!(f, "{problems}"),
            StartError::Memory(error) => write!(f, "{error}"),
            StartError::Publish(error) => write!(f, "{error}"),
            StartError::Thread(error) => {
                write!(
                    f,
                    "a thread cannot be started: {error}: raise the limit of tasks or memory"
                )
            }
        }
    }
}

impl std::error::Error for StartError {}

/// What a daemon starts from.
pub struct Start {
    /// What it shall do.
    pub config: Config,
    /// Where a reload reads it anew.
    pub file: Option<PathBuf>,
    /// Another camera than the configuration's.
    pub keeper: Option<Keeper>,
    /// Who is told of READY, STATUS and the rest.
    pub notifier: Notifier,
}

impl Daemon {
    /// Starts every stage. The sender takes signals and requests.
    pub fn start(start: Start) -> Result<(Self, SyncSender<Input>), StartError> {
        heap::map_large_buffers();
        let system = System::own();
        let limits = system.limits();
        let plan = start.config.plan_within(&limits);
        let plan = Arc::new(plan.map_err(StartError::Config)?);
        plan.fits(&limits.memory).map_err(StartError::Memory)?;
        if !plan.ocr.fields.is_empty() && !plan.ocr.searches() {
            heap::keep_buffers_of_networks();
        }
        log::info!(
            "{} reader threads: {}",
            plan.read.threads,
            plan.read.threads_how
        );
        let mut notes = Vec::new();
        if limits.memory.accounting == Accounting::Off {
            let note = format!(
                "the kernel's memory controller is off, MemoryMax= does nothing: {CONTROLLER_CURE}; \
                 until then the reader holds {} MB itself",
                plan.memory_minimum() >> 20
            );
            log::warn!("{note}");
            notes.push(note);
        }
        let meters = Arc::new(Meters::default());
        let pulses = Pulses::default();
        let (to_main, input) = sync_channel(64);
        let publisher = Publisher::start(
            Setup {
                reader: plan.reader.name.clone(),
                mqtt: plan.mqtt.clone(),
                outbox: plan.outbox.clone(),
                output: plan.output.clone(),
                config_hash: start.config.hash(),
                notes,
                clock_synced: Arc::new(clock::synchronised),
            },
            Arc::clone(&meters),
            &pulses,
            requests(to_main.clone()).map_err(StartError::Thread)?,
        )
        .map_err(StartError::Publish)?;
        let pipeline = Pipeline::start(
            Arc::clone(&plan),
            Parts {
                meters: Arc::clone(&meters),
                pulses: pulses.clone(),
                events: publisher.sender(),
                published: publisher.recent(),
                keeper: start.keeper,
                text: pipeline::text_models(),
                system,
            },
        )
        .map_err(StartError::Thread)?;
        let now = Instant::now();
        let monitor = Monitor::new(
            Arc::clone(&meters),
            plan.mqtt.is_some(),
            plan.outbox.max_bytes,
            now,
        );
        let daemon = Self {
            config: start.config,
            file: start.file,
            meters,
            publisher,
            pipeline,
            monitor,
            watchdog: Watchdog::from_env(start.notifier.clone(), pulses, now),
            notifier: start.notifier,
            input,
            next_second: now,
            next_stats: now + plan.service.stats,
            camera_was_up: None,
            plan,
        };
        daemon.notifier.ready(&daemon.monitor.status_line());
        Ok((daemon, to_main))
    }

    /// The counters, which outlive the daemon.
    #[cfg(feature = "demo")]
    pub fn meters(&self) -> Arc<Meters> {
        Arc::clone(&self.meters)
    }

    /// Runs until a signal says stop, or the source has come to its end; then
    /// drains and ends. False if a stage has panicked: then it ends as well as it
    /// can, and whoever started it should start it again.
    pub fn run(mut self) -> bool {
        let mut sound = true;
        loop {
            match self.input.recv_timeout(TURN) {
                Ok(Input::Signal(Signal::Stop | Signal::StopNow)) => break,
                Ok(Input::Signal(Signal::Reload)) => {
                    self.reload();
                }
                Ok(Input::Signal(Signal::Report)) => log::info!("{}", self.monitor.status_line()),
                Ok(Input::Request(request)) => self.answer(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.pipeline.broken() || !self.publisher.alive() {
                log::error!("a stage has panicked: ending, to be started again");
                sound = false;
                break;
            }
            if self.pipeline.ended() {
                log::info!("the source has come to its end");
                break;
            }
            self.turn(Instant::now());
        }
        self.stop();
        sound
    }

    fn turn(&mut self, now: Instant) {
        self.watchdog.look(now);
        if now < self.next_second {
            return;
        }
        self.next_second = now + Duration::from_secs(1);
        self.govern(now);
        self.monitor.tick(now);
        match self.monitor.health() {
            Health::Online => self.publisher.status(&[]),
            Health::Degraded(reasons) => self.publisher.status(&reasons),
        }
        self.notifier.status(&self.monitor.status_line());
        self.watch_camera();
        if now >= self.next_stats {
            self.next_stats = now + self.plan.service.stats;
            let stats = self.monitor.stats(now);
            self.publisher.stats(&stats);
        }
    }

    /// Fits the work to the machine. What is left out is worth an alert: when it
    /// begins, when it comes to text and to frames, and when it is over.
    fn govern(&mut self, now: Instant) {
        let Decision {
            level,
            before,
            reason,
            told,
        } = self.pipeline.govern(now);
        if level == before {
            return;
        }
        let cut = LADDER[usize::from(level)].words;
        let reason = reason.map_or("none", Reason::word);
        let detail = match level {
            0 => format!("nothing is left out any more: {told}"),
            _ => format!("left out for now: {cut} (level {level}, reason {reason}): {told}"),
        };
        let kind = |level: u8| {
            let measures = &LADDER[usize::from(level)];
            (level > 0, measures.text, measures.frame_step > 1)
        };
        if level > before && kind(level) != kind(before) {
            self.publisher.alert(Alert {
                kind: "throttled",
                severity: Severity::Warning,
                detail,
                count: None,
            });
        } else if level == 0 {
            self.publisher.alert(Alert {
                kind: "throttled_over",
                severity: Severity::Info,
                detail,
                count: None,
            });
        } else {
            log::info!("{detail}");
        }
    }

    /// A camera that goes or comes back is worth an alert.
    fn watch_camera(&mut self) {
        let state = self.pipeline.camera();
        let alert = match (self.camera_was_up, state.up, &state.fault) {
            (Some(true), false, Some(fault)) => Alert {
                kind: "camera_lost",
                severity: Severity::Error,
                detail: fault.to_string(),
                count: None,
            },
            (None, false, Some(fault)) => Alert {
                kind: "camera_absent",
                severity: Severity::Error,
                detail: fault.to_string(),
                count: None,
            },
            (Some(false), true, _) => Alert {
                kind: "camera_back",
                severity: Severity::Info,
                detail: state.description.clone(),
                count: None,
            },
            _ => {
                if state.up {
                    self.camera_was_up = Some(true);
                }
                return;
            }
        };
        self.camera_was_up = Some(state.up);
        self.publisher.alert(alert);
    }

    fn answer(&mut self, request: Request) {
        let reply = match request.command {
            Command::Trigger => {
                if self
                    .pipeline
                    .trigger(request.request_id, request.reply.clone())
                {
                    return;
                }
                ended()
            }
            Command::Snapshot => {
                if self.pipeline.snapshot(request.reply.clone()) {
                    return;
                }
                ended()
            }
            Command::Reload => self.reload(),
            Command::Promote | Command::DropCanary => {
                let promote = request.command == Command::Promote;
                self.pipeline.canary(promote, request.reply.clone());
                return;
            }
            Command::Set { key, value } => self.set(&key, value),
        };
        // Whoever asked may have gone.
        let _ = request.reply.try_send(reply);
    }

    /// Reads the file again. A bad one changes nothing.
    fn reload(&mut self) -> Reply {
        self.notifier.reloading();
        let loaded = match &self.file {
            Some(file) => Config::load(file).map_err(|problems| problems.to_string()),
            None => Err("there is no configuration file to read again".to_owned()),
        };
        let reply = match loaded.and_then(|config| self.take_up(config)) {
            Ok(detail) => {
                log::info!("configuration reloaded: {detail}");
                Reply { ok: true, detail }
            }
            Err(detail) => {
                log::error!("configuration not reloaded, nothing has changed: {detail}");
                self.monitor.reload_refused(&detail);
                Reply { ok: false, detail }
            }
        };
        self.notifier.ready(&self.monitor.status_line());
        reply
    }

    fn set(&mut self, key: &str, value: serde_json::Value) -> Reply {
        let mut config = self.config.clone();
        let shown = value.to_string();
        let done = config
            .set(key, value)
            .map_err(|problem| problem.to_string())
            .and_then(|()| self.take_up(config));
        match done {
            Ok(_) => {
                log::info!("{key} is {shown} now, until the next reload");
                Reply {
                    ok: true,
                    detail: format!("{key} = {shown}"),
                }
            }
            Err(detail) => Reply { ok: false, detail },
        }
    }

    /// Goes on under another configuration, or says why not.
    fn take_up(&mut self, config: Config) -> Result<String, String> {
        let limits = System::own().limits();
        let plan = config.plan_within(&limits);
        let plan = plan.map_err(|problems| problems.to_string())?;
        plan.fits(&limits.memory)
            .map_err(|fault| fault.to_string())?;
        let mut restart = Vec::new();
        for (section, same) in [
            ("[reader]", plan.reader == self.plan.reader),
            ("[mqtt]", plan.mqtt == self.plan.mqtt),
            ("[outbox]", plan.outbox == self.plan.outbox),
            ("[output]", plan.output == self.plan.output),
            (
                "service.state-dir",
                plan.service.state_dir == self.plan.service.state_dir,
            ),
            ("read.threads", plan.read.threads == self.plan.read.threads),
            ("ocr.queue", plan.ocr.queue == self.plan.ocr.queue),
        ] {
            if !same {
                restart.push(section);
            }
        }
        let plan = Arc::new(plan);
        crate::service::log::apply(&plan.log);
        self.pipeline.reconfigure(Arc::clone(&plan));
        self.monitor
            .reloaded(plan.mqtt.is_some(), plan.outbox.max_bytes);
        self.publisher.reconfigured(config.hash());
        self.plan = plan;
        self.config = config;
        if restart.is_empty() {
            Ok("everything is in force".to_owned())
        } else {
            Ok(format!(
                "in force, but for {}: restart for these",
                restart.join(", ")
            ))
        }
    }

    fn stop(self) {
        self.notifier
            .stopping("stopping: the last items go to the broker");
        self.pipeline.stop();
        self.publisher.stop(self.plan.service.drain);
        let (vision, item) = (&self.meters.vision, &self.meters.item);
        log::info!(
            "stopped: {} frames, {} dropped, {} items read, {} not read",
            vision.frames.get(),
            vision.dropped.get(),
            item.read.get(),
            item.noread.get()
        );
    }
}

fn ended() -> Reply {
    Reply {
        ok: false,
        detail: "the source has come to its end".to_owned(),
    }
}

/// Requests of the publisher, passed on to the main loop's one channel.
fn requests(to_main: SyncSender<Input>) -> std::io::Result<SyncSender<Request>> {
    let (sender, requests) = sync_channel::<Request>(16);
    std::thread::Builder::new()
        .name("requests".into())
        .spawn(move || {
            for request in requests {
                if to_main.send(Input::Request(request)).is_err() {
                    break;
                }
            }
        })?;
    Ok(sender)
}
