//! The V4L2 devices of this machine: their nodes, their names that outlast a
//! reboot, what they offer, and who else has one open.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::abi;
use super::controls::{self, Control};
use super::device::{Device, text};
use super::formats::{self, Format};

/// A capture device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Info {
    /// Its node, as `/dev/video0`.
    pub path: PathBuf,
    /// Links to it below `/dev/v4l` that stay the same; best first.
    pub stable: Vec<PathBuf>,
    /// The kernel's driver.
    pub driver: String,
    /// Name of the camera.
    pub card: String,
    /// Where it is plugged in.
    pub bus: String,
    /// Pixel formats with sizes and rates.
    pub formats: Vec<Format>,
    /// Controls with ranges and values.
    pub controls: Vec<Control>,
    /// Why it cannot be looked at, if so.
    pub trouble: Option<String>,
}

/// All capture devices, in the order of their numbers.
pub fn list() -> Vec<Info> {
    nodes().iter().filter_map(|path| info(path)).collect()
}

/// `None` if it captures no pictures (metadata, output, radio).
fn info(path: &Path) -> Option<Info> {
    let mut info = Info {
        path: path.to_owned(),
        stable: stable_names(path),
        driver: String::new(),
        card: name_in_sysfs(path).unwrap_or_default(),
        bus: String::new(),
        formats: Vec::new(),
        controls: Vec::new(),
        trouble: None,
    };
    let device = match Device::open(path) {
        Ok(device) => device,
        Err(error) => {
            info.trouble = Some(error.to_string());
            return Some(info);
        }
    };
    let mut capability = abi::Capability::default();
    device.call(&abi::QUERYCAP, &mut capability).ok()?;
    if abilities(&capability) & (abi::CAP_CAPTURE | abi::CAP_CAPTURE_MPLANE) == 0 {
        return None;
    }
    info.driver = text(&capability.driver);
    info.card = text(&capability.card);
    info.bus = text(&capability.bus);
    info.formats = formats::list(&device);
    info.controls = controls::list(&device);
    Some(info)
}

/// What this node can do, as opposed to the whole device.
pub(super) fn abilities(capability: &abi::Capability) -> u32 {
    match capability.capabilities & abi::CAP_DEVICE_CAPS {
        0 => capability.capabilities,
        _ => capability.device_caps,
    }
}

fn nodes() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut nodes: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("video")?.parse().ok()?;
            let device = entry.file_type().ok()?.is_char_device();
            device.then(|| (number, entry.path()))
        })
        .collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// Links to `node` below `/dev/v4l`: `by-id` follows the camera, `by-path` the
/// socket it is plugged into.
pub(super) fn stable_names(node: &Path) -> Vec<PathBuf> {
    let target = fs::canonicalize(node).ok();
    let mut names = Vec::new();
    for folder in ["/dev/v4l/by-id", "/dev/v4l/by-path"] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let links = entries.map(|entry| entry.path());
        let mut same: Vec<PathBuf> = links
            .filter(|link| target.is_some() && fs::canonicalize(link).ok() == target)
            .collect();
        same.sort();
        names.append(&mut same);
    }
    names
}

fn name_in_sysfs(node: &Path) -> Option<String> {
    let file = Path::new("/sys/class/video4linux").join(node.file_name()?);
    let name = fs::read_to_string(file.join("name")).ok()?;
    Some(name.trim().to_owned())
}

/// What there is, in a few words for an error message.
pub(super) fn there_is() -> String {
    let found: Vec<String> = nodes()
        .into_iter()
        .map(|node| {
            let name = name_in_sysfs(&node).unwrap_or_default();
            match stable_names(&node).first() {
                Some(stable) => format!("{} ({name})", stable.display()),
                None => format!("{} ({name})", node.display()),
            }
        })
        .collect();
    match found.is_empty() {
        true => "no video device is there".into(),
        false => format!("there is {}", found.join(", ")),
    }
}

/// Programs that have the device open, as far as this user may see.
pub(super) fn users(node: &Path) -> String {
    let Ok(device) = fs::metadata(node).map(|metadata| metadata.rdev()) else {
        return String::new();
    };
    let me = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found: Vec<String> = processes
        .filter_map(|process| {
            let pid: u32 = process.file_name().to_str()?.parse().ok()?;
            let holds = pid != me && has_open(&process.path(), device).unwrap_or(false);
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            holds.then(|| format!("{} (process {pid})", name.trim()))
        })
        .collect();
    match found.is_empty() {
        true => String::new(),
        false => format!(" by {}", found.join(", ")),
    }
}

fn has_open(process: &Path, device: u64) -> io::Result<bool> {
    for file in fs::read_dir(process.join("fd"))? {
        let metadata = fs::metadata(file?.path());
        if metadata.is_ok_and(|m| m.file_type().is_char_device() && m.rdev() == device) {
            return Ok(true);
        }
    }
    Ok(false)
}
