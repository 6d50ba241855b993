//! The kernel's little files as values. Each function takes the text of one file
//! and gives `None` where it does not say what it should: a limit that cannot be
//! understood is a limit that is not known, never a panic.

use std::time::Duration;

/// Least limit of memory that cgroup v1 writes for "none": it rounds the largest
/// number down to a page. No machine has a quarter of it.
const NO_LIMIT: u64 = 1 << 61;

/// Share of a processor's time: `cpu.max` of cgroup v2, as `50000 100000` or `max
/// 100000`. `None`: unlimited, or not understood.
pub fn cpu_max(text: &str) -> Option<(f64, Duration)> {
    let mut words = text.split_whitespace();
    let quota: u64 = words.next()?.parse().ok()?;
    quota_of(quota, words.next().unwrap_or("100000").parse().ok()?)
}

/// The same of cgroup v1: `cpu.cfs_quota_us` (-1: none) and `cpu.cfs_period_us`.
pub fn cfs_quota(quota: &str, period: &str) -> Option<(f64, Duration)> {
    quota_of(quota.trim().parse().ok()?, period.trim().parse().ok()?)
}

fn quota_of(quota_us: u64, period_us: u64) -> Option<(f64, Duration)> {
    let sound = quota_us > 0 && period_us > 0;
    sound.then(|| {
        let share = quota_us as f64 / period_us as f64;
        (share, Duration::from_micros(period_us))
    })
}

/// Bytes: `memory.max` and its like, `max` or a number.
pub fn bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|&bytes| bytes < NO_LIMIT)
}

/// The number behind `key` in lines of `key number`, as in `cpu.stat` and
/// `memory.stat`.
pub fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, number) = line.split_once(' ')?;
        (name == key).then(|| number.trim().parse().ok())?
    })
}

/// Share of the last ten seconds, 0 to 1, in which at least one task waited
/// (Documentation/accounting/psi.rst: `some avg10=0.12 avg60=…`, in per cent).
pub fn pressure(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let avg10 = some
        .split_whitespace()
        .find_map(|word| word.strip_prefix("avg10="))?;
    let percent: f64 = avg10.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// Bytes behind `key:` in `/proc/PID/status` or `/proc/meminfo`, which tell kB.
pub fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kib: u64 = rest.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// How many processors a list like `0-3,8` names (`Cpus_allowed_list` of
/// `/proc/PID/status`).
pub fn processors(status: &str) -> Option<usize> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut count = 0usize;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    (count > 0).then_some(count)
}

/// The path of the own group in `/proc/self/cgroup`: of the unified hierarchy
/// (`0::/a/b`) where `controller` is `None`, else of that v1 controller
/// (`4:memory:/a/b`). Paths that lead out of what is mounted (`/../x`, as a group
/// outside of a container's namespace is told) are not followed.
pub fn group<'a>(text: &'a str, controller: Option<&str>) -> Option<&'a str> {
    let path = text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, names, path) = (parts.next()?, parts.next()?, parts.next()?);
        let mine = match controller {
            None => number == "0" && names.is_empty(),
            Some(wanted) => names.split(',').any(|name| name == wanted),
        };
        mine.then_some(path)
    })?;
    let inside = path.starts_with('/') && path.split('/').all(|part| part != "..");
    inside.then_some(path)
}

/// Degrees Celsius from a sensor's millidegrees. One that is switched off tells
/// absurd values.
pub fn celsius(text: &str) -> Option<f64> {
    let millidegrees: i64 = text.trim().parse().ok()?;
    (-40_000..=150_000)
        .contains(&millidegrees)
        .then_some(millidegrees as f64 / 1000.0)
}

/// The Raspberry Pi's flags (`get_throttled`): hexadecimal, with or without `0x`.
pub fn throttled_flags(text: &str) -> Option<u32> {
    let text = text.trim();
    u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotas_are_shares_of_a_processor() {
        let period = |us| Duration::from_micros(us);
        assert_eq!(cpu_max("50000 100000\n"), Some((0.5, period(100_000))));
        assert_eq!(cpu_max("4000 20000"), Some((0.2, period(20_000))));
        assert_eq!(cpu_max("200000"), Some((2.0, period(100_000))));
        assert_eq!(cfs_quota("10000\n", "20000\n"), Some((0.5, period(20_000))));
        for none in ["max 100000\n", "", "0 100000", "5 0", "x y", "-5 10"] {
            assert_eq!(cpu_max(none), None, "{none:?}");
        }
        assert_eq!(cfs_quota("-1\n", "100000\n"), None);
    }

    #[test]
    fn a_limit_of_memory_is_a_number_below_what_v1_writes_for_none() {
        assert_eq!(bytes("134217728\n"), Some(128 << 20));
        assert_eq!(bytes("0"), Some(0));
        for none in ["max\n", "9223372036854771712\n", "", "lots", "-1"] {
            assert_eq!(bytes(none), None, "{none:?}");
        }
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let stat = "usage_usec 12\nnr_periods 7\nnr_throttled 3\nnr x\n";
        assert_eq!(field(stat, "nr_throttled"), Some(3));
        assert_eq!(field(stat, "nr"), None);
        assert_eq!(field(stat, "usage"), None);
    }

    #[test]
    fn pressure_is_a_share_of_ten_seconds() {
        let text = "some avg10=12.50 avg60=1.00 avg300=0.10 total=9\nfull avg10=3.00 avg60=0\n";
        assert_eq!(pressure(text), Some(0.125));
        assert_eq!(pressure("full avg10=3.00\n"), None);
        assert_eq!(pressure("some avg10=NaN"), None);
        assert_eq!(pressure("some avg10=1000"), None);
    }

    #[test]
    fn status_tells_memory_and_processors() {
        let status = "Name:\tx\nVmRSS:\t   38912 kB\nCpus_allowed_list:\t0-2,8\n";
        assert_eq!(kilobytes(status, "VmRSS"), Some(38 << 20));
        assert_eq!(kilobytes(status, "Vm"), None);
        assert_eq!(processors(status), Some(4));
        for bad in ["", "Cpus_allowed_list:\t\n", "Cpus_allowed_list:\t3-1\n"] {
            assert_eq!(processors(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_own_group_is_found_in_either_hierarchy() {
        let text =
            "9:name=systemd:/x\n4:memory:/m/n\n1:cpu,cpuacct:/c\n0::/system.slice/b.service\n";
        assert_eq!(group(text, None), Some("/system.slice/b.service"));
        assert_eq!(group(text, Some("memory")), Some("/m/n"));
        assert_eq!(group(text, Some("cpuacct")), Some("/c"));
        assert_eq!(group(text, Some("pids")), None);
        assert_eq!(group("0::/../elsewhere\n", None), None);
        assert_eq!(group("0::/with:colon\n", None), Some("/with:colon"));
    }

    #[test]
    fn heat_and_flags() {
        assert_eq!(celsius("51987\n"), Some(51.987));
        assert_eq!(celsius("-274000"), None);
        assert_eq!(throttled_flags("50005\n"), Some(0x50005));
        assert_eq!(throttled_flags("0xe0008"), Some(0xe0008));
        assert_eq!(throttled_flags("no"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_any_of_them_panic(text in "\\PC*|[0-9 :,\n.a-z/-]{0,80}") {
            cpu_max(&text);
            cfs_quota(&text, &text);
            bytes(&text);
            field(&text, "a");
            pressure(&text);
            pressure(&format!("some avg10={text}"));
            kilobytes(&format!("VmRSS:{text}"), "VmRSS");
            processors(&format!("Cpus_allowed_list:{text}"));
            group(&text, None);
            group(&text, Some("memory"));
            celsius(&text);
            throttled_flags(&text);
        }
    }
}
