//! A control group of one's own with limits, to start a program in: below the
//! group of this process, so that nothing leaves the limits it is under. Version 1
//! and version 2, where this user may make groups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const MOUNT: &str = "/sys/fs/cgroup";
/// As `CPUQuotaPeriodSec=20ms` in the unit.
const PERIOD_US: u64 = 20_000;

/// Folders of the group, one for each hierarchy. Removed when it is dropped.
pub struct Group {
    folders: Vec<PathBuf>,
    unified: bool,
}

impl Group {
    /// A group with so many per cent of a processor and so much memory.
    pub fn make(quota_percent: Option<u64>, memory_max: Option<u64>) -> io::Result<Self> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let name = format!("beltscan-{}", std::process::id());
        let path = |controller: &str| {
            own.lines()
                .filter_map(|line| line.split_once(':')?.1.split_once(':'))
                .find(|(names, _)| names.split(',').any(|name| name == controller))
                .map(|(_, path)| path.trim_start_matches('/').to_owned())
        };
        let unified = Path::new(MOUNT).join("cgroup.controllers").exists();
        let mut group = Self {
            folders: Vec::new(),
            unified,
        };
        let hierarchies: &[&str] = match unified {
            true => &[""],
            false => &["cpu", "cpuacct", "memory"],
        };
        for controller in hierarchies {
            let above = path(controller).ok_or(io::ErrorKind::NotFound)?;
            let above = Path::new(MOUNT).join(controller).join(above);
            let folder = above.join(&name);
            if unified {
                // Refused where processes live in the group itself.
                fs::write(above.join("cgroup.subtree_control"), "+cpu +memory")?;
            }
            if !folder.exists() {
                fs::create_dir(&folder)?;
            }
            group.folders.push(folder);
        }
        let quota = |percent: u64| percent * PERIOD_US / 100;
        match (unified, quota_percent) {
            (true, Some(percent)) => {
                group.put(0, "cpu.max", &format!("{} {PERIOD_US}", quota(percent)))?;
            }
            (false, Some(percent)) => {
                group.put(0, "cpu.cfs_period_us", &PERIOD_US.to_string())?;
                group.put(0, "cpu.cfs_quota_us", &quota(percent).to_string())?;
            }
            _ => {}
        }
        if let Some(bytes) = memory_max {
            let (at, file) = match unified {
                true => (0, "memory.max"),
                false => (2, "memory.limit_in_bytes"),
            };
            group.put(at, file, &bytes.to_string())?;
        }
        Ok(group)
    }

    fn put(&self, at: usize, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.folders[at].join(file), text)
    }

    fn number(&self, at: usize, file: &str, key: Option<&str>) -> u64 {
        let text = fs::read_to_string(self.folders[at].join(file)).unwrap_or_default();
        match key {
            None => text.trim().parse().unwrap_or(0),
            Some(key) => beltscan::limits::parse::field(&text, key).unwrap_or(0),
        }
    }

    /// `program`, to be started in here: a shell enters the group and becomes it.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        let enter: String = self
            .folders
            .iter()
            .map(|folder| format!("echo $$ > '{}/cgroup.procs' && ", folder.display()))
            .collect();
        command
            .arg("-c")
            .arg(format!("{enter}exec \"$0\" \"$@\""))
            .arg(program);
        command
    }

    /// Time of processors taken so far.
    pub fn used(&self) -> Duration {
        match self.unified {
            true => Duration::from_micros(self.number(0, "cpu.stat", Some("usage_usec"))),
            false => Duration::from_nanos(self.number(1, "cpuacct.usage", None)),
        }
    }

    /// Periods so far, and those that ended in a standstill.
    pub fn periods(&self) -> (u64, u64) {
        (
            self.number(0, "cpu.stat", Some("nr_periods")),
            self.number(0, "cpu.stat", Some("nr_throttled")),
        )
    }

    /// Most memory that was taken, in bytes, page cache and children included.
    pub fn most_memory(&self) -> u64 {
        match self.unified {
            true => self.number(0, "memory.peak", None),
            false => self.number(2, "memory.max_usage_in_bytes", None),
        }
    }

    /// Processes that the kernel killed for want of memory.
    pub fn killed(&self) -> u64 {
        match self.unified {
            true => self.number(0, "memory.events", Some("oom_kill")),
            false => self.number(2, "memory.oom_control", Some("oom_kill")),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            // The last process may take a moment to leave.
            for _ in 0..100 {
                if fs::remove_dir(folder).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
