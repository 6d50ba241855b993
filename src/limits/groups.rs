//! The control groups that the daemon is in: its own and those above it, since a
//! limit of any of them holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{parse, text};

/// Groups above each other that are looked at, at most.
const DEEPEST: usize = 32;

/// The daemon's groups, the own one first, the root last.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    cpu: Vec<PathBuf>,
    /// Where v1 counts the time used, if that is the same group.
    cpu_time: Option<PathBuf>,
    memory: Vec<PathBuf>,
    /// How their files are called.
    version: Version,
    /// Can the kernel limit memory at all?
    pub(super) accounting: Accounting,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Version {
    V1,
    #[default]
    V2,
}

/// Whether the kernel counts and limits the memory of control groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accounting {
    /// It does.
    On,
    /// Its memory controller is switched off, as Raspberry Pi OS boots by default
    /// (`cgroup_disable=memory`): MemoryMax= does nothing.
    Off,
    /// There are no control groups to be seen.
    #[default]
    Unknown,
}

/// A share of the processors' time that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct CpuQuota {
    /// In processors: 0.5 is half of one.
    pub cores: f64,
    /// In pieces of this length: what a piece has not used by its end is lost, and
    /// who has used it up stands still until then.
    pub period: Duration,
    /// The group that has it, as `cpu.max of /system.slice/beltscan.service`.
    pub from: String,
}

/// Limits of memory that hold, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Beyond it the kernel slows the daemon down and takes back what it can.
    pub high: Option<u64>,
    /// Beyond it the kernel kills.
    pub max: Option<u64>,
    /// Whether the kernel holds limits at all.
    pub accounting: Accounting,
}

/// What the group with the quota has used since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuUse {
    /// Time of processors, in microseconds, where it is told.
    pub used_us: Option<u64>,
    /// Periods in which it ran.
    pub periods: u64,
    /// Of them, those at the end of which it stood still.
    pub throttled: u64,
}

/// How full the tightest of the groups is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tightest {
    /// What the kernel cannot take back without harm.
    pub held: u64,
    /// The group's limit: the lower of high and max.
    pub limit: u64,
}

impl Groups {
    /// Finds them below `root`, which is `/` but in tests.
    pub(super) fn find(root: &Path) -> Self {
        let mount = root.join("sys/fs/cgroup");
        let Some(own) = text(&root.join("proc/self/cgroup")) else {
            return Self::default();
        };
        if let Some(controllers) = text(&mount.join("cgroup.controllers")) {
            let groups = parse::group(&own, None).unwrap_or("/");
            let groups = chain(&mount, groups);
            let counted = controllers.split_whitespace().any(|name| name == "memory");
            // A container's root is no root: it has the files and no list of them.
            let here = groups
                .first()
                .is_some_and(|own| own.join("memory.current").exists());
            return Self {
                cpu: groups.clone(),
                cpu_time: None,
                memory: groups,
                version: Version::V2,
                accounting: match counted || here {
                    true => Accounting::On,
                    false => Accounting::Off,
                },
            };
        }
        let of = |controller: &str| {
            let path = parse::group(&own, Some(controller))?;
            // Debian mounts cpu and cpuacct together and links both names to it.
            Some((path, chain(&mount.join(controller), path)))
        };
        let (cpu, memory, time) = (of("cpu"), of("memory"), of("cpuacct"));
        let same = |path: &str| cpu.as_ref().is_some_and(|(own, _)| *own == path);
        Self {
            cpu_time: time
                .filter(|(path, _)| same(path))
                .and_then(|(_, chain)| chain.into_iter().next()),
            accounting: match (&memory, &cpu) {
                (Some(_), _) => Accounting::On,
                (None, Some(_)) => Accounting::Off,
                (None, None) => Accounting::Unknown,
            },
            cpu: cpu.map(|(_, chain)| chain).unwrap_or_default(),
            memory: memory.map(|(_, chain)| chain).unwrap_or_default(),
            version: Version::V1,
        }
    }

    /// The least share of processors that holds.
    pub(super) fn quota(&self) -> Option<CpuQuota> {
        let quotas = self.cpu.iter().filter_map(|group| {
            let (file, (cores, period)) = match self.version {
                Version::V2 => ("cpu.max", parse::cpu_max(&text(&group.join("cpu.max"))?)?),
                Version::V1 => {
                    let quota = text(&group.join("cpu.cfs_quota_us"))?;
                    let period = text(&group.join("cpu.cfs_period_us"))?;
                    ("cpu.cfs_quota_us", parse::cfs_quota(&quota, &period)?)
                }
            };
            Some(CpuQuota {
                cores,
                period,
                from: format!("{file} of {}", name(group)),
            })
        });
        quotas.min_by(|a, b| a.cores.total_cmp(&b.cores))
    }

    /// What the group of [`Groups::quota`] has used; the own one where there is none.
    pub(super) fn cpu_use(&self, quota: Option<&CpuQuota>) -> Option<CpuUse> {
        let ends = |group: &&PathBuf| quota.is_some_and(|quota| quota.from.ends_with(&of(group)));
        let own = self.cpu.first()?;
        let group = self.cpu.iter().find(ends).unwrap_or(own);
        let stat = text(&group.join("cpu.stat"))?;
        let used_us = match self.version {
            Version::V2 => parse::field(&stat, "usage_usec"),
            Version::V1 if group == own => self
                .cpu_time
                .as_ref()
                .and_then(|group| parse::bytes(&text(&group.join("cpuacct.usage"))?))
                .map(|ns| ns / 1000),
            Version::V1 => None,
        };
        Some(CpuUse {
            used_us,
            periods: parse::field(&stat, "nr_periods").unwrap_or(0),
            throttled: parse::field(&stat, "nr_throttled").unwrap_or(0),
        })
    }

    /// The least limits of memory that hold.
    pub(super) fn memory(&self) -> MemoryLimits {
        let least = |file: &str| {
            let limits = self
                .memory
                .iter()
                .filter_map(|group| parse::bytes(&text(&group.join(file))?));
            limits.min()
        };
        let (high, max) = match self.version {
            Version::V2 => (least("memory.high"), least("memory.max")),
            Version::V1 => (None, least("memory.limit_in_bytes")),
        };
        MemoryLimits {
            high,
            max,
            accounting: self.accounting,
        }
    }

    /// Memory of the own group in bytes, children and page cache included.
    pub(super) fn group_memory(&self) -> Option<u64> {
        // The root's is the whole machine's.
        let own = match &self.memory[..] {
            [own, _, ..] => own,
            [root] if self.version == Version::V2 => root,
            _ => return None,
        };
        parse::bytes(&text(&own.join(self.current()))?)
    }

    fn current(&self) -> &'static str {
        match self.version {
            Version::V2 => "memory.current",
            Version::V1 => "memory.usage_in_bytes",
        }
    }

    /// The group that is nearest to its limit.
    pub(super) fn tightest(&self) -> Option<Tightest> {
        let full = self.memory.iter().filter_map(|group| {
            let bytes = |file: &str| parse::bytes(&text(&group.join(file))?);
            let (limit, idle) = match self.version {
                Version::V2 => {
                    let limits = [bytes("memory.high"), bytes("memory.max")];
                    (limits.into_iter().flatten().min()?, "inactive_file")
                }
                Version::V1 => (bytes("memory.limit_in_bytes")?, "total_inactive_file"),
            };
            let stat = text(&group.join("memory.stat")).unwrap_or_default();
            // Files that nobody looked at lately go before anything hurts.
            let idle = parse::field(&stat, idle).unwrap_or(0);
            let held = bytes(self.current())?.saturating_sub(idle);
            Some(Tightest { held, limit })
        });
        let share = |at: &Tightest| at.held as f64 / at.limit.max(1) as f64;
        full.max_by(|a, b| share(a).total_cmp(&share(b)))
    }

    /// Share of the last ten seconds in which tasks of the own group waited for
    /// memory, and for a processor; 0 where the kernel does not tell.
    pub(super) fn stalls(&self) -> (f64, f64) {
        let stall = |groups: &[PathBuf], file: &str| {
            let own = groups.first()?;
            parse::pressure(&text(&own.join(file))?)
        };
        (
            stall(&self.memory, "memory.pressure").unwrap_or(0.0),
            stall(&self.cpu, "cpu.pressure").unwrap_or(0.0),
        )
    }
}

/// The folders of the group `path` and of all above it, up to where they are
/// mounted. In a container the path may be the host's: then only the mount counts.
fn chain(mount: &Path, path: &str) -> Vec<PathBuf> {
    let own = mount.join(path.trim_start_matches('/'));
    let own = match own.is_dir() {
        true => own,
        false => mount.to_owned(),
    };
    let chain = own.ancestors().take_while(|at| at.starts_with(mount));
    chain.take(DEEPEST).map(Path::to_owned).collect()
}

/// A group as people name it: its path below `sys/fs/cgroup`.
fn name(group: &Path) -> String {
    let text = group.to_string_lossy();
    match text.split_once("sys/fs/cgroup") {
        Some((_, "")) => "/".to_owned(),
        Some((_, path)) => path.to_owned(),
        None => text.into_owned(),
    }
}

fn of(group: &Path) -> String {
    format!(" of {}", name(group))
}
