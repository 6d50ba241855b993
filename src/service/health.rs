//! How the daemon feels, worked out from its counters: online or degraded, the
//! line for `systemctl status`, and the `stats` message.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::snapshot::{Counts, Meters};

/// Whether everything works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Online,
    /// No: one word for each thing that does not. `camera`: no frames come;
    /// `broker`: not connected; `disk`: events are kept in memory only;
    /// `outbox`: four fifths full; `text`: its
    /// models cannot be loaded, or fail; `throttled`: the governor leaves work out;
    /// `configuration`: the last reload was refused.
    Degraded(Vec<&'static str>),
}

/// The `stats` message. Counts are since the start; rates and times are of the
/// window since the message before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Items decided, read or not.
    pub items: u64,
    /// Of them, read.
    pub read: u64,
    /// Of them, not read.
    pub noread: u64,
    /// Items whose verdict is fail.
    pub failed: u64,
    /// Items a second.
    pub items_per_s: f64,
    /// Share of the window's items that were read, 0 to 1; absent without items.
    pub read_rate: Option<f64>,
    /// Frames a second.
    pub fps: f64,
    /// Frames taken.
    pub frames: u64,
    /// Frames lost before they were read.
    pub dropped: u64,
    /// Codes read, over all frames.
    pub codes: u64,
    /// Frames on which the reader failed (a panic, caught). A fault of Beltscan: such a
    /// frame is saved in the folder `panics` of the state directory.
    pub reader_failures: u64,
    /// Half of the frames took no longer than this, in ms; absent without frames.
    pub p50_ms: Option<f64>,
    /// 99 of 100 frames took no longer than this, in ms.
    pub p99_ms: Option<f64>,
    /// Events that wait for the broker's acknowledgement.
    pub outbox_events: u64,
    /// Their bytes.
    pub outbox_bytes: u64,
    /// Events given up because the outbox was full or they were too old.
    pub given_up: u64,
    /// Events that the broker refuses.
    pub dead_letters: u64,
    /// The hottest of the machine's sensors in degrees Celsius, if it has any.
    pub temperature_c: Option<f64>,
    /// Resident memory in megabytes (2^20 bytes).
    pub memory_mb: Option<f64>,
    /// Memory of the daemon's control group, children and page cache included, in
    /// the same unit.
    pub cgroup_memory_mb: Option<f64>,
    /// The limit of memory that is held, in the same unit.
    pub memory_limit_mb: Option<f64>,
    /// The CPU quota in processors.
    pub cpu_quota: Option<f64>,
    /// Time of processors taken in the last second, in processors.
    pub cpu_used: Option<f64>,
    /// Share of the quota's periods in it that ended in a standstill, 0 to 1.
    pub cpu_throttled: Option<f64>,
    /// How far the work is cut back; 0: not at all.
    pub governor_level: u8,
    /// Why: `memory`, `heat`, `quota`, `late`, `queues`; absent at level 0.
    pub governor_reason: Option<&'static str>,
    /// Lines of text read.
    pub text_lines: u64,
    /// Fields of text that events were published without.
    pub text_skipped: u64,
    /// Requests for text that were dropped, the queue being full.
    pub text_dropped: u64,
    /// Failures of the models.
    pub text_failures: u64,
    /// 99th percentile of the time for one line of text since the last message.
    pub text_p99_ms: Option<f64>,
    /// Lines that the canary models read in the shadow of the stable ones.
    pub canary_lines: u64,
    /// Of them, told alike.
    pub canary_alike: u64,
    /// Mean time that the canary took for one of them.
    pub canary_ms: Option<f64>,
    /// Mean time that the stable models took for the same lines.
    pub canary_stable_ms: Option<f64>,
}

/// Watches the counters over time.
#[derive(Debug)]
pub struct Monitor {
    meters: Arc<Meters>,
    /// Whether a broker is configured at all.
    broker: bool,
    outbox_max_bytes: u64,
    started: Instant,
    /// About one a second, the oldest first, for the status line.
    recent: VecDeque<Sample>,
    /// At the last `stats` message.
    reported: Sample,
    reported_times: Counts,
    reported_text_times: Counts,
    refused: Option<String>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    read: u64,
    noread: u64,
    frames: u64,
}

/// The status line tells of the last minute.
const WINDOW: Duration = Duration::from_secs(60);

impl Monitor {
    /// Begins to watch. `broker`: whether one is configured; `outbox_max_bytes`:
    /// as in the plan.
    pub fn new(meters: Arc<Meters>, broker: bool, outbox_max_bytes: u64, now: Instant) -> Self {
        let start = Sample::take(&meters, now);
        Self {
            broker,
            outbox_max_bytes,
            started: now,
            recent: VecDeque::from([start]),
            reported: start,
            reported_times: meters.vision.frame_time.counts(),
            reported_text_times: meters.text.time.counts(),
            meters,
            refused: None,
        }
    }

    /// A reload gave a new plan.
    pub fn reloaded(&mut self, broker: bool, outbox_max_bytes: u64) {
        self.broker = broker;
        self.outbox_max_bytes = outbox_max_bytes;
        self.refused = None;
    }

    /// A reload was refused; the reason stands in the status line until one succeeds.
    pub fn reload_refused(&mut self, reason: &str) {
        self.refused = Some(reason.to_owned());
    }

    /// Takes a sample; to be called about once a second.
    pub fn tick(&mut self, now: Instant) {
        let latest = self.recent.back().map(|sample| sample.at);
        if latest.is_some_and(|at| now < at + Duration::from_millis(900)) {
            return;
        }
        self.recent.push_back(Sample::take(&self.meters, now));
        // One sample beyond the window, so that the rest spans all of it.
        while self
            .recent
            .get(1)
            .is_some_and(|next| next.at + WINDOW <= now)
        {
            self.recent.pop_front();
        }
    }

    /// Online or degraded, and why.
    pub fn health(&self) -> Health {
        let publish = &self.meters.publish;
        let reasons: Vec<_> = [
            ("camera", self.meters.vision.camera_up.get() == 0),
            ("broker", self.broker && publish.connected.get() == 0),
            ("disk", publish.durable.get() == 0),
            (
                "outbox",
                publish.outbox_bytes.get() > self.outbox_max_bytes / 5 * 4,
            ),
            ("text", self.meters.text.is_down()),
            ("throttled", self.meters.governor.get().level > 0),
            ("configuration", self.refused.is_some()),
        ]
        .into_iter()
        .filter_map(|(reason, holds)| holds.then_some(reason))
        .collect();
        if reasons.is_empty() {
            Health::Online
        } else {
            Health::Degraded(reasons)
        }
    }

    /// As `1234 items, 12.3/s, read rate 99.2 %, broker up, outbox 0`, with what
    /// is wrong behind it.
    pub fn status_line(&self) -> String {
        let item = &self.meters.item;
        let publish = &self.meters.publish;
        let (read, noread) = (item.read.get(), item.noread.get());
        let first = self.recent.front().unwrap_or(&self.reported);
        let last = self.recent.back().unwrap_or(&self.reported);
        let rate = share(last.read - first.read, last.noread - first.noread)
            .or_else(|| share(read, noread));
        let mut line = format!(
            "{} items, {:.1}/s, read rate {}, broker {}, outbox {}",
            read + noread,
            per_second(last.items() - first.items(), last.at - first.at),
            rate.map_or("unknown".into(), |rate| format!("{:.1} %", rate * 100.0)),
            match (self.broker, publish.connected.get()) {
                (false, _) => "none",
                (true, 0) => "down",
                (true, _) => "up",
            },
            publish.outbox_events.get(),
        );
        let governing = self.meters.governor.get();
        if let Some(resident) = governing.resident {
            line.push_str(&format!(", {} MB of memory", resident >> 20));
        }
        if let Some(group) = governing.group {
            line.push_str(&format!(", {} MB with children", group >> 20));
        }
        if let Health::Degraded(reasons) = self.health() {
            line.push_str(&format!("; degraded: {}", reasons.join(", ")));
        }
        if let Some(reason) = governing.reason {
            line.push_str(&format!(
                "; left out: {} (level {}, {reason})",
                governing.cut, governing.level
            ));
        }
        if let Some(reason) = &self.refused {
            line.push_str(&format!("; reload refused: {reason}"));
        }
        line
    }

    /// The `stats` message; begins the next window.
    pub fn stats(&mut self, now: Instant) -> Stats {
        let Meters {
            vision,
            item,
            text,
            publish,
            governor,
        } = &*self.meters;
        let governing = governor.get();
        let sample = Sample::take(&self.meters, now);
        let times = vision.frame_time.counts();
        let window = times.since(&self.reported_times);
        let before = std::mem::replace(&mut self.reported, sample);
        self.reported_times = times;
        let elapsed = now - before.at;
        let text_times = text.time.counts();
        let text_window = text_times.since(&self.reported_text_times);
        self.reported_text_times = text_times;
        let ms = |q| window.quantile(q).map(|ns| rounded(ns as f64 / 1e6, 100.0));
        let canary_lines = text.canary_lines.get();
        let canary_mean = |us: u64| {
            (canary_lines > 0).then(|| rounded(us as f64 / 1e3 / canary_lines as f64, 100.0))
        };
        Stats {
            uptime_s: (now - self.started).as_secs(),
            items: sample.items(),
            read: sample.read,
            noread: sample.noread,
            failed: item.failed.get(),
            items_per_s: rounded(per_second(sample.items() - before.items(), elapsed), 100.0),
            read_rate: share(sample.read - before.read, sample.noread - before.noread)
                .map(|rate| rounded(rate, 10_000.0)),
            fps: rounded(per_second(sample.frames - before.frames, elapsed), 10.0),
            frames: sample.frames,
            dropped: vision.dropped.get(),
            codes: vision.codes.get(),
            reader_failures: vision.panics.get(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            outbox_events: publish.outbox_events.get(),
            outbox_bytes: publish.outbox_bytes.get(),
            given_up: publish.given_up.get(),
            dead_letters: publish.dead_letters.get(),
            temperature_c: governing.temperature.map(|c| rounded(c, 10.0)),
            memory_mb: governing.resident.map(megabytes),
            cgroup_memory_mb: governing.group.map(megabytes),
            memory_limit_mb: governing.memory_limit.map(megabytes),
            cpu_quota: governing.quota.map(|cores| rounded(cores, 1000.0)),
            cpu_used: governing.used.map(|cores| rounded(cores, 1000.0)),
            cpu_throttled: governing.throttled.map(|share| rounded(share, 1000.0)),
            governor_level: governing.level,
            governor_reason: governing.reason,
            text_lines: text.lines.get(),
            text_skipped: text.skipped.get(),
            text_dropped: text.dropped.get(),
            text_failures: text.failures.get(),
            text_p99_ms: text_window
                .quantile(0.99)
                .map(|ns| rounded(ns as f64 / 1e6, 100.0)),
            canary_lines,
            canary_alike: text.canary_alike.get(),
            canary_ms: canary_mean(text.canary_us.get()),
            canary_stable_ms: canary_mean(text.canary_stable_us.get()),
        }
    }
}

impl Sample {
    fn take(meters: &Meters, at: Instant) -> Self {
        Self {
            at,
            read: meters.item.read.get(),
            noread: meters.item.noread.get(),
            frames: meters.vision.frames.get(),
        }
    }

    fn items(&self) -> u64 {
        self.read + self.noread
    }
}

fn share(read: u64, noread: u64) -> Option<f64> {
    (read + noread > 0).then(|| read as f64 / (read + noread) as f64)
}

fn per_second(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() {
        0.0
    } else {
        count as f64 / elapsed.as_secs_f64()
    }
}

fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

/// Megabytes of 2^20 bytes.
fn megabytes(bytes: u64) -> f64 {
    rounded(bytes as f64 / 1_048_576.0, 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Governing;

    fn monitor() -> (Arc<Meters>, Monitor, Instant) {
        let meters = Arc::new(Meters::default());
        meters.vision.camera_up.set(1);
        meters.publish.connected.set(1);
        meters.publish.durable.set(1);
        let now = Instant::now();
        let monitor = Monitor::new(Arc::clone(&meters), true, 1000, now);
        (meters, monitor, now)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_status_line_tells_the_last_minute() {
        let (meters, mut monitor, mut now) = monitor();
        assert_eq!(
            monitor.status_line(),
            "0 items, 0.0/s, read rate unknown, broker up, outbox 0"
        );
        // A minute of no-reads, then a minute at ten a second, one in ten of
        // them not read.
        for second in 0..120 {
            let (read, noread) = if second < 60 { (0, 1) } else { (9, 1) };
            meters.item.read.add(read);
            meters.item.noread.add(noread);
            now += SECOND;
            monitor.tick(now);
            monitor.tick(now);
        }
        meters.publish.outbox_events.set(3);
        meters.publish.connected.set(0);
        assert_eq!(
            monitor.status_line(),
            "660 items, 10.0/s, read rate 90.0 %, broker down, outbox 3; degraded: broker"
        );
        assert!(monitor.recent.len() <= 62);
        monitor.reload_refused("line 3: camera.fps");
        assert!(
            monitor
                .status_line()
                .ends_with("degraded: broker, configuration; reload refused: line 3: camera.fps")
        );
        monitor.reloaded(false, 1000);
        assert!(monitor.status_line().ends_with("broker none, outbox 3"));
    }

    #[test]
    fn each_thing_that_does_not_work_is_a_reason() {
        let (meters, monitor, _) = monitor();
        assert_eq!(monitor.health(), Health::Online);
        meters.vision.camera_up.set(0);
        meters.publish.connected.set(0);
        meters.publish.durable.set(0);
        meters.publish.outbox_bytes.set(801);
        assert_eq!(
            monitor.health(),
            Health::Degraded(vec!["camera", "broker", "disk", "outbox"])
        );
        meters.publish.outbox_bytes.set(800);
        meters.publish.connected.set(1);
        meters.publish.durable.set(1);
        assert_eq!(monitor.health(), Health::Degraded(vec!["camera"]));
    }

    #[test]
    fn stats_are_of_the_window_since_the_ones_before() {
        let (meters, mut monitor, now) = monitor();
        for _ in 0..99 {
            meters.vision.frame_time.record(5_000_000);
        }
        meters.vision.frame_time.record(400_000_000);
        meters.vision.frames.add(1800);
        meters.item.read.add(59);
        meters.item.noread.add(1);
        let first = monitor.stats(now + 30 * SECOND);
        assert_eq!((first.items, first.read, first.noread), (60, 59, 1));
        assert_eq!((first.fps, first.items_per_s), (60.0, 2.0));
        assert_eq!(first.read_rate, Some(0.9833));
        assert!((4.4..5.6).contains(&first.p50_ms.unwrap()), "{first:?}");
        let second = monitor.stats(now + 60 * SECOND);
        assert_eq!(second.items, 60);
        assert_eq!(
            (second.fps, second.read_rate, second.p50_ms),
            (0.0, None, None)
        );
        assert_eq!(second.uptime_s, 60);
        let json = serde_json::to_value(&second).unwrap();
        assert_eq!(json["read_rate"], serde_json::Value::Null);
        assert_eq!(json["governor_level"], 0);
    }

    #[test]
    fn what_the_governor_does_and_sees_is_told_everywhere() {
        let (meters, mut monitor, now) = monitor();
        meters.governor.set(Governing {
            level: 4,
            reason: Some("quota"),
            cut: "text",
            resident: Some(40 << 20),
            group: Some(100 << 20),
            memory_limit: Some(128 << 20),
            quota: Some(0.5),
            used: Some(0.4567),
            throttled: Some(0.25),
            temperature: Some(51.987),
        });
        assert_eq!(monitor.health(), Health::Degraded(vec!["throttled"]));
        assert_eq!(
            monitor.status_line(),
            "0 items, 0.0/s, read rate unknown, broker up, outbox 0, 40 MB of memory, \
             100 MB with children; degraded: throttled; left out: text (level 4, quota)"
        );
        let stats = serde_json::to_value(monitor.stats(now)).unwrap();
        for (key, value) in [
            ("governor_level", serde_json::json!(4)),
            ("governor_reason", serde_json::json!("quota")),
            ("memory_mb", serde_json::json!(40.0)),
            ("cgroup_memory_mb", serde_json::json!(100.0)),
            ("memory_limit_mb", serde_json::json!(128.0)),
            ("cpu_quota", serde_json::json!(0.5)),
            ("cpu_used", serde_json::json!(0.457)),
            ("cpu_throttled", serde_json::json!(0.25)),
            ("temperature_c", serde_json::json!(52.0)),
        ] {
            assert_eq!(stats[key], value, "{key}");
        }
    }
}
