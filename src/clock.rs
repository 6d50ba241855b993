//! Clocks. Decisions are taken on `CLOCK_MONOTONIC`; the wall clock only dates
//! events, and is worth something only once it has been synchronised: a
//! Raspberry Pi without a battery clock starts months in the past.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// `CLOCK_MONOTONIC` in nanoseconds: the clock on which kernels stamp frames.
#[cfg(unix)]
pub fn mono_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Both parts of a monotonic time are never negative.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The clock of [`std::time::Instant`] in nanoseconds since it was first asked.
#[cfg(not(unix))]
pub fn mono_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// UTC in nanoseconds since the Unix epoch.
pub fn wall_ns() -> i64 {
    let nanoseconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()),
        Err(before) => i64::try_from(before.duration().as_nanos()).map(|ns| -ns),
    };
    nanoseconds.unwrap_or(i64::MAX)
}

/// UTC of a moment on `CLOCK_MONOTONIC`, by the distance of the two clocks now.
pub fn wall_at(mono: u64) -> i64 {
    wall_from(mono, mono_ns(), wall_ns())
}

fn wall_from(mono: u64, mono_now: u64, wall_now: i64) -> i64 {
    let ahead = i128::from(mono) - i128::from(mono_now);
    (i128::from(wall_now) + ahead).clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// Made by systemd-timesyncd when it has first set the clock from a server.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// Whether the wall clock has been synchronised since the machine started.
///
/// Asked of systemd-timesyncd's mark rather than of `adjtimex`, which the
/// service's sandbox (`ProtectClock=`) refuses. Other time services can make the
/// same mark, as the unit file says.
pub fn synchronised() -> bool {
    Path::new(SYNCHRONISED).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_runs() {
        let before = mono_ns();
        assert!(mono_ns() >= before && before > 0);
    }

    #[test]
    fn a_moment_on_the_monotonic_clock_has_its_time_of_day() {
        assert_eq!(wall_from(1_500, 1_000, 70_000), 70_500);
        assert_eq!(wall_from(500, 1_000, 70_000), 69_500);
        assert_eq!(wall_from(u64::MAX, 0, 0), i64::MAX);
        assert_eq!(wall_from(0, u64::MAX, i64::MIN), i64::MIN);
    }

    #[test]
    fn the_wall_clock_is_in_this_century() {
        // 2020-01-01 to 2100-01-01.
        assert!((1_577_836_800_000_000_000..4_102_444_800_000_000_000).contains(&wall_ns()));
    }
}
