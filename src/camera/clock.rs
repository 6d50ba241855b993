//! The two clocks of a frame's stamp: `CLOCK_MONOTONIC`, on which kernels stamp
//! frames and every decision is taken, and UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now on `CLOCK_MONOTONIC`, in nanoseconds.
#[cfg(unix)]
pub(super) fn mono_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Now on the clock of [`std::time::Instant`], in nanoseconds since first asked.
#[cfg(not(unix))]
pub(super) fn mono_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Now as UTC, in nanoseconds since the Unix epoch.
pub(super) fn wall_ns() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

/// The UTC instant of what happened at `mono_ns`.
pub(super) fn wall_of(mono_ns: u64) -> i64 {
    let age = self::mono_ns() as i128 - i128::from(mono_ns);
    i64::try_from(i128::from(wall_ns()) - age).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_is_the_one_the_kernel_stamps_frames_with() {
        let before = mono_ns();
        // The kernel's own word on the time since boot, in seconds. It counts
        // sleep and the monotonic clock does not, so it is never behind.
        if let Ok(uptime) = std::fs::read_to_string("/proc/uptime") {
            let seconds: f64 = uptime
                .split(' ')
                .next()
                .and_then(|word| word.parse().ok())
                .expect("a number");
            assert!(before as f64 / 1e9 <= seconds + 1.0);
        }
        assert!(mono_ns() >= before);
    }

    #[test]
    fn wall_time_of_a_moment_ago_lies_as_far_back() {
        let mono = mono_ns();
        let wall = wall_of(mono - 5_000_000_000);
        let off = (wall_ns() - 5_000_000_000) - wall;
        assert!(off.abs() < 4_000_000_000, "off by {off} ns");
    }
}
