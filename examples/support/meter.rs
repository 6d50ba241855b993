//! What an example took: processor time and memory.

use std::time::Duration;

/// Tells on standard error what memory is resident and was at most.
pub fn tell_memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
    {
        eprintln!("{line}");
    }
}

/// Processor time of this thread: what others do on the machine does not count.
#[cfg(unix)]
pub fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Time on the clock, where threads' own time is not told.
#[cfg(not(unix))]
pub fn processor_time() -> Duration {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
}
