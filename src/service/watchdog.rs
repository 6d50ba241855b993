//! The watchdog is fed by progress, not by a timer: only while every stage has
//! turned its loop since the last look. A stage that waits for work beats at
//! least every quarter of the watchdog's time, so an idle daemon lives, and one
//! stuck stage brings the restart, with its name on the log.

use std::time::{Duration, Instant};

use super::Notifier;
use super::notify::watchdog_timeout;
use crate::snapshot::Pulses;

/// Looks at the pulses from the main loop: a main loop that is stuck feeds
/// nothing either.
#[derive(Debug)]
pub struct Watchdog {
    notifier: Notifier,
    pulses: Pulses,
    /// `None`: the service manager keeps no watchdog; stuck stages are still
    /// named on the log.
    timeout: Option<Duration>,
    next_look: Instant,
    /// Looks in a row that found these stages still.
    stuck: Vec<(&'static str, u32)>,
}

/// Looked for stuck stages in this time where no watchdog runs.
const UNWATCHED: Duration = Duration::from_secs(20);

impl Watchdog {
    /// With the time that the environment names (`WATCHDOG_USEC`).
    pub fn from_env(notifier: Notifier, pulses: Pulses, now: Instant) -> Self {
        Self::new(notifier, pulses, watchdog_timeout(), now)
    }

    /// With `timeout`, if there is a watchdog.
    pub fn new(
        notifier: Notifier,
        pulses: Pulses,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Self {
        Self {
            notifier,
            pulses,
            timeout,
            next_look: now,
            stuck: Vec::new(),
        }
    }

    /// A quarter of the watchdog's time: between two looks, and the longest
    /// that any stage may wait for work without a beat.
    pub fn period(&self) -> Duration {
        self.timeout.unwrap_or(UNWATCHED) / 4
    }

    /// When [`Watchdog::look`] should be called next.
    pub fn next_look(&self) -> Instant {
        self.next_look
    }

    /// If it is time, looks at all stages and feeds the watchdog if every one
    /// has moved. Returns the stages that have not, empty also when it was not
    /// yet time.
    ///
    /// A stage that beats once a period may fall between two looks, so it is
    /// called stuck from the second look on; at a quarter of the time each,
    /// feeding is then resumed before the watchdog bites.
    pub fn look(&mut self, now: Instant) -> Vec<&'static str> {
        if now < self.next_look {
            return Vec::new();
        }
        self.next_look = now + self.period();
        let still = self.pulses.still();
        if still.is_empty() {
            if !self.stuck.is_empty() {
                let moved = self.stuck.drain(..).filter(|(_, looks)| *looks > 1);
                for (stage, _) in moved {
                    log::warn!("stage {stage} moves again");
                }
            }
            self.notifier.watchdog();
            return still;
        }
        let before = std::mem::take(&mut self.stuck);
        for &stage in &still {
            let looks = before
                .iter()
                .find(|(name, _)| *name == stage)
                .map_or(1, |(_, looks)| looks + 1);
            if looks == 2 {
                let since = self.period() * looks;
                match self.timeout {
                    Some(_) => log::error!(
                        "stage {stage} has not moved for {since:?}: the watchdog is not fed, \
                         the service manager will restart the daemon"
                    ),
                    None => log::error!("stage {stage} has not moved for {since:?}"),
                }
            }
            self.stuck.push((stage, looks));
        }
        still
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// A watchdog of 4 s, so that it looks once a second, on a clock of our own.
    struct Bench {
        manager: UnixDatagram,
        watchdog: Watchdog,
        pulses: Pulses,
        now: Instant,
        _folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let manager = UnixDatagram::bind(&path).unwrap();
            manager.set_nonblocking(true).unwrap();
            let notifier = Notifier::connect(path.as_os_str()).unwrap();
            let pulses = Pulses::default();
            let now = Instant::now();
            let timeout = Some(Duration::from_secs(4));
            Self {
                manager,
                watchdog: Watchdog::new(notifier, pulses.clone(), timeout, now),
                pulses,
                now,
                _folder: folder,
            }
        }

        /// A second later: was it fed, and who was still?
        fn second(&mut self) -> (bool, Vec<&'static str>) {
            self.now += Duration::from_secs(1);
            let still = self.watchdog.look(self.now);
            let mut buffer = [0; 64];
            let fed = match self.manager.recv(&mut buffer) {
                Ok(length) => {
                    assert_eq!(&buffer[..length], b"WATCHDOG=1\n");
                    true
                }
                Err(_) => false,
            };
            (fed, still)
        }
    }

    #[test]
    fn it_is_fed_while_all_stages_beat_and_not_while_one_is_stuck() {
        let mut bench = Bench::new();
        let camera = bench.pulses.register("camera");
        let reader = bench.pulses.register("reader");
        assert_eq!(bench.second(), (true, vec![]), "both are new");
        for _ in 0..5 {
            // An idle stage that turns its loop without work beats too.
            camera.beat();
            reader.beat();
            assert_eq!(bench.second(), (true, vec![]));
        }
        for _ in 0..5 {
            camera.beat();
            assert_eq!(bench.second(), (false, vec!["reader"]));
        }
        assert_eq!(bench.second(), (false, vec!["camera", "reader"]));
        camera.beat();
        reader.beat();
        assert_eq!(bench.second(), (true, vec![]));
    }

    #[test]
    fn a_stage_that_has_ended_in_order_is_not_stuck() {
        let mut bench = Bench::new();
        let camera = bench.pulses.register("camera");
        bench.second();
        assert_eq!(bench.second(), (false, vec!["camera"]));
        drop(camera);
        assert_eq!(bench.second(), (true, vec![]));
        let again = bench.pulses.register("camera");
        assert_eq!(bench.second(), (true, vec![]), "new again");
        assert_eq!(bench.second(), (false, vec!["camera"]));
        again.beat();
        assert_eq!(bench.second(), (true, vec![]));
    }

    #[test]
    fn it_looks_no_more_often_than_its_period() {
        let mut bench = Bench::new();
        let _stuck = bench.pulses.register("reader");
        bench.second();
        bench.now += Duration::from_millis(500);
        assert!(bench.watchdog.look(bench.now).is_empty());
        bench.now += Duration::from_millis(500);
        assert_eq!(bench.watchdog.look(bench.now), ["reader"]);
        assert_eq!(bench.watchdog.period(), Duration::from_secs(1));
    }

    #[test]
    fn without_a_watchdog_stuck_stages_are_still_found() {
        let pulses = Pulses::default();
        let _stuck = pulses.register("reader");
        let now = Instant::now();
        let mut watchdog = Watchdog::new(Notifier::silent(), pulses, None, now);
        assert!(watchdog.look(now).is_empty(), "new");
        assert_eq!(watchdog.look(now + UNWATCHED), ["reader"]);
    }
}
