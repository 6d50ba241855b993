//! Trees of files as kernels make them, and as they do not.

use std::time::Duration;

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

const SERVICE: &str = "sys/fs/cgroup/system.slice/beltscan.service";

/// A service with a quota, in a slice with a limit of memory that is lower than
/// its own.
fn unified() -> tempfile::TempDir {
    let at = |file: &str| format!("{SERVICE}/{file}");
    let files = [
        (
            "proc/self/cgroup".to_owned(),
            "0::/system.slice/beltscan.service\n",
        ),
        (
            "proc/self/status".to_owned(),
            "VmRSS:\t  40960 kB\nCpus_allowed_list:\t0-3\n",
        ),
        (
            "sys/fs/cgroup/cgroup.controllers".to_owned(),
            "cpuset cpu io memory pids\n",
        ),
        (at("cpu.max"), "10000 20000\n"),
        (
            at("cpu.stat"),
            "usage_usec 7000\nnr_periods 100\nnr_throttled 25\nthrottled_usec 9\n",
        ),
        (at("memory.current"), "83886080\n"),
        (at("memory.high"), "125829120\n"),
        (at("memory.max"), "134217728\n"),
        (at("memory.stat"), "anon 1\ninactive_file 20971520\n"),
        (
            at("memory.pressure"),
            "some avg10=2.00 avg60=0.00 avg300=0.00 total=1\n",
        ),
        (at("cpu.pressure"), "some avg10=40.00 avg60=0.00\n"),
        (
            "sys/fs/cgroup/system.slice/cpu.max".to_owned(),
            "max 100000\n",
        ),
        (
            "sys/fs/cgroup/system.slice/memory.max".to_owned(),
            "104857600\n",
        ),
        (
            "sys/fs/cgroup/system.slice/memory.current".to_owned(),
            "90000000\n",
        ),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (&**path, *text)).collect();
    tree(&files)
}

#[test]
fn the_least_limit_of_the_groups_above_holds() {
    let folder = unified();
    let system = System::below(folder.path());
    let limits = system.limits();
    let quota = limits.cpu.clone().unwrap();
    assert_eq!(limits.cores, 4);
    assert_eq!(
        (quota.cores, quota.period),
        (0.5, Duration::from_millis(20))
    );
    assert_eq!(quota.from, "cpu.max of /system.slice/beltscan.service");
    assert_eq!(limits.memory.max, Some(100 << 20));
    assert_eq!(limits.memory.high, Some(120 << 20));
    assert_eq!(limits.memory.accounting, Accounting::On);
    let readings = system.readings(Some(&quota));
    assert_eq!(
        readings.cpu,
        Some(CpuUse {
            used_us: Some(7000),
            periods: 100,
            throttled: 25
        })
    );
    assert_eq!(readings.resident, Some(40 << 20));
    assert_eq!(readings.group, Some(80 << 20));
    // The slice: 90 of 104 MB, the service only 60 of 120 MiB.
    assert_eq!(
        readings.tightest,
        Some(Tightest {
            held: 90_000_000,
            limit: 100 << 20
        })
    );
    assert_eq!((readings.memory_stall, readings.cpu_stall), (0.02, 0.4));
}

#[test]
fn threads_come_from_the_quota_not_from_the_cores() {
    for (quota, cores, threads) in [
        (None, 4, 4),
        (Some(0.2), 4, 1),
        (Some(0.5), 4, 1),
        (Some(1.0), 4, 1),
        (Some(1.99), 4, 2),
        (Some(1.5), 4, 1),
        (Some(2.0), 4, 2),
        (Some(8.0), 4, 4),
        (None, 0, 1),
    ] {
        let mut limits = Limits::none(cores);
        limits.cpu = quota.map(|cores| CpuQuota {
            cores,
            period: Duration::from_millis(20),
            from: String::new(),
        });
        assert_eq!(limits.threads(), threads, "{quota:?} of {cores}");
    }
}

#[test]
fn a_controller_that_is_off_is_noticed() {
    let off = tree(&[
        ("proc/self/cgroup", "0::/system.slice/beltscan.service\n"),
        ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n"),
        (
            "sys/fs/cgroup/system.slice/beltscan.service/cpu.max",
            "max 100000\n",
        ),
    ]);
    let system = System::below(off.path());
    assert_eq!(system.limits().memory.accounting, Accounting::Off);
    assert_eq!(system.limits().cpu, None);
    assert_eq!(system.readings(None).tightest, None);

    // A container has its own group for a root, limits and all.
    let container = tree(&[
        ("proc/self/cgroup", "0::/\n"),
        ("sys/fs/cgroup/cgroup.controllers", "cpu memory\n"),
        ("sys/fs/cgroup/memory.max", "268435456\n"),
        ("sys/fs/cgroup/memory.current", "1000\n"),
    ]);
    let system = System::below(container.path());
    assert_eq!(system.limits().memory.max, Some(256 << 20));
    assert_eq!(system.readings(None).group, Some(1000));
}

#[test]
fn the_first_version_tells_the_same() {
    let folder = tree(&[
        (
            "proc/self/cgroup",
            "4:memory:/box\n2:cpuacct:/box\n1:cpu:/box\n0::/\n",
        ),
        ("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "4000\n"),
        ("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "20000\n"),
        (
            "sys/fs/cgroup/cpu/box/cpu.stat",
            "nr_periods 10\nnr_throttled 4\nthrottled_time 5000000\n",
        ),
        ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
        ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ("sys/fs/cgroup/cpuacct/box/cpuacct.usage", "7000000\n"),
        (
            "sys/fs/cgroup/memory/box/memory.limit_in_bytes",
            "134217728\n",
        ),
        (
            "sys/fs/cgroup/memory/box/memory.usage_in_bytes",
            "50000000\n",
        ),
        (
            "sys/fs/cgroup/memory/box/memory.stat",
            "total_inactive_file 10000000\n",
        ),
        (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
    ]);
    let system = System::below(folder.path());
    let limits = system.limits();
    let quota = limits.cpu.clone().unwrap();
    assert_eq!(quota.cores, 0.2);
    assert_eq!(limits.memory.max, Some(128 << 20));
    assert_eq!(limits.memory.accounting, Accounting::On);
    let readings = system.readings(Some(&quota));
    let cpu = readings.cpu.unwrap();
    assert_eq!((cpu.used_us, cpu.throttled), (Some(7000), 4));
    assert_eq!(readings.group, Some(50_000_000));
    assert_eq!(readings.tightest.unwrap().held, 40_000_000);
}

#[test]
fn nonsense_is_no_limit() {
    let nowhere = System::below(Path::new("/nowhere/at/all"));
    assert_eq!(nowhere.limits().memory, MemoryLimits::default());
    assert!(nowhere.limits().threads() >= 1);
    assert_eq!(nowhere.readings(None), Readings::default());

    let folder = tree(&[
        ("proc/self/cgroup", "0::/../../etc\n\u{0}\u{7f}:::"),
        (
            "proc/self/status",
            "VmRSS:\tmany kB\nCpus_allowed_list:\t9-0",
        ),
        ("sys/fs/cgroup/cgroup.controllers", ""),
        ("sys/fs/cgroup/cpu.max", "99999999999999999999999 1\n"),
        ("sys/fs/cgroup/cpu.stat", "nr_periods -3\nnr_throttled\n"),
        ("sys/fs/cgroup/memory.max", "max\nmax"),
        ("sys/fs/cgroup/memory.pressure", "some avg10="),
    ]);
    // Bytes that are no text.
    std::fs::write(
        folder.path().join("sys/fs/cgroup/memory.current"),
        [0xff; 9],
    )
    .unwrap();
    std::fs::create_dir_all(folder.path().join("sys/fs/cgroup/memory.high")).unwrap();
    let system = System::below(folder.path());
    assert_eq!(system.limits().cpu, None);
    assert_eq!(system.limits().memory.max, None);
    let readings = system.readings(None);
    assert_eq!(readings.group, None);
    assert_eq!(readings.resident, None);
}

/// Whatever this machine has, it can be read.
#[test]
fn this_process_has_memory_and_processors() {
    let system = System::own();
    assert!(system.limits().cores >= 1);
    #[cfg(target_os = "linux")]
    assert!(system.readings(None).resident.unwrap() > 1 << 20);
}
