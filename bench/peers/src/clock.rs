//! What time it is, for who measures how long something takes.

use std::sync::LazyLock;
use std::time::Instant;

/// Seconds since some moment, on the wall or of this thread's processor time.
pub fn now_s(cpu: bool) -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    if cpu {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
    } else {
        START.elapsed().as_secs_f64()
    }
}
