//! What the machine grants the daemon, and what the daemon takes of it: the limits
//! of its control groups (cgroup v2, and v1 as far as it has the same), its
//! memory, the processor's temperature. Limits are read, not assumed.
//!
//! [`parse`] turns the text of one file into a value; the rest knows which files.
//! Everything is optional: a file that is missing or says nonsense leaves what it
//! would have told unknown.

mod groups;
mod heat;
pub mod parse;

pub use groups::{Accounting, CpuQuota, CpuUse, MemoryLimits, Tightest};
pub use heat::{BoardFlags, Heat};

use std::io::Read;
use std::path::{Path, PathBuf};

use groups::Groups;

/// Most that is read of any of these files; `memory.stat` has about 2 KB.
const MOST_BYTES: u64 = 64 << 10;

/// The variable that names a folder to be taken for `/` when limits are read: a
/// host's files mounted into a container, or a test's.
pub const ROOT_VARIABLE: &str = "BELTSCAN_LIMITS_ROOT";

/// What is written where the memory controller is off.
pub const CONTROLLER_CURE: &str =
    "add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and start the machine anew";

/// Where limits are read.
#[derive(Clone, Debug)]
pub struct System {
    root: PathBuf,
    groups: Groups,
}

/// What holds from the start on. It may be changed while the daemon runs; the
/// governor reads it again, threads stay as many as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Processors that the daemon may run on.
    pub cores: usize,
    /// A share of their time, if there is such a limit.
    pub cpu: Option<CpuQuota>,
    /// Memory.
    pub memory: MemoryLimits,
}

/// What is taken at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    /// Time of processors.
    pub cpu: Option<CpuUse>,
    /// The daemon's own resident memory in bytes.
    pub resident: Option<u64>,
    /// Memory of its control group in bytes, children included.
    pub group: Option<u64>,
    /// The group nearest to its limit of memory, if any has one.
    pub tightest: Option<Tightest>,
    /// Share of the last ten seconds in which tasks waited for memory, 0 to 1.
    pub memory_stall: f64,
    /// The same for processors.
    pub cpu_stall: f64,
    /// Temperature, where there is a sensor.
    pub heat: Option<Heat>,
    /// What a Raspberry Pi tells of itself.
    pub board: Option<BoardFlags>,
}

impl System {
    /// This process on this machine.
    pub fn own() -> Self {
        match std::env::var_os(ROOT_VARIABLE) {
            Some(root) if !root.is_empty() => Self::below(Path::new(&root)),
            _ => Self::below(Path::new("/")),
        }
    }

    /// As if `root` were `/`.
    pub fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            groups: Groups::find(root),
        }
    }

    /// The limits that hold now.
    pub fn limits(&self) -> Limits {
        let status = text(&self.root.join("proc/self/status")).unwrap_or_default();
        Limits {
            cores: parse::processors(&status)
                .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
                .unwrap_or(1),
            cpu: self.groups.quota(),
            memory: self.groups.memory(),
        }
    }

    /// What is taken now; of processors by the group with `quota`.
    pub fn readings(&self, quota: Option<&CpuQuota>) -> Readings {
        let status = text(&self.root.join("proc/self/status")).unwrap_or_default();
        let (memory_stall, cpu_stall) = self.groups.stalls();
        Readings {
            cpu: self.groups.cpu_use(quota),
            resident: parse::kilobytes(&status, "VmRSS"),
            group: self.groups.group_memory(),
            tightest: self.groups.tightest(),
            memory_stall,
            cpu_stall,
            heat: heat::read(&self.root),
            board: heat::flags(&self.root),
        }
    }
}

impl Limits {
    /// No limits on `cores` processors.
    pub fn none(cores: usize) -> Self {
        Self {
            cores,
            cpu: None,
            memory: MemoryLimits::default(),
        }
    }

    /// How many threads can be busy all the time: whole processors of the quota,
    /// at least one. What is left of it is for the rest of the daemon.
    pub fn threads(&self) -> usize {
        let quota = self.cpu.as_ref().map_or(f64::MAX, |quota| quota.cores);
        // A quota of 2 may be written as 199999 of 100000.
        let whole = (quota + 0.01).floor().max(1.0);
        (whole as usize).min(self.cores.max(1))
    }
}

/// The text of a file, if it is one of reasonable size.
fn text(file: &Path) -> Option<String> {
    let mut text = String::new();
    let file = std::fs::File::open(file).ok()?;
    file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests;
