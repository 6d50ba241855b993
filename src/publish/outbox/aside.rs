//! What becomes of a file that is no database any more: it is kept beside the new
//! one, for whoever wants to look into it, but not for ever.

use std::path::{Path, PathBuf};

/// Damaged files that are kept beside the outbox.
const KEPT_ASIDE: usize = 3;

/// Renames a damaged file, and what belongs to it, to `<path>.corrupt-<n>`, and
/// removes all but the newest few of those. Returns its new name.
pub(super) fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mut numbers = aside_numbers(path);
    let next = numbers.last().map_or(1, |last| last + 1);
    let target = aside_name(path, next);
    std::fs::rename(path, &target)?;
    for tail in ["-wal", "-shm"] {
        let (from, to) = (with_tail(path, tail), with_tail(&target, tail));
        if from.exists() {
            std::fs::rename(from, to)?;
        }
    }
    numbers.push(next);
    let surplus = numbers.len().saturating_sub(KEPT_ASIDE);
    for &number in &numbers[..surplus] {
        let old = aside_name(path, number);
        for file in [with_tail(&old, "-wal"), with_tail(&old, "-shm"), old] {
            // One that is not there, or stays, is no reason to stop.
            let _ = std::fs::remove_file(file);
        }
    }
    Ok(target)
}

fn aside_name(path: &Path, number: u32) -> PathBuf {
    with_tail(path, &format!(".corrupt-{number}"))
}

fn with_tail(path: &Path, tail: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(tail);
    PathBuf::from(name)
}

/// Numbers of the files set aside, in order.
fn aside_numbers(path: &Path) -> Vec<u32> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let start = format!("{}.corrupt-", name.to_string_lossy());
    let mut numbers: Vec<u32> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix(&start)?.parse().ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}
