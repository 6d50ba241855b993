//! How hot the processor is, and what the board does about it.

use std::path::{Path, PathBuf};

use super::{parse, text};

/// Where nothing tells when the processor slows itself down: a Raspberry Pi does so
/// from 80 degrees on, most boards with a fan later.
const HOT_C: f64 = 80.0;
/// The governor acts so many degrees before the kernel's own passive cooling does.
const AHEAD_C: f64 = 3.0;
/// Sensors and trip points that are looked at, at most.
const MOST: usize = 64;

/// Words in a sensor's `type` that say that it sits in or beside the processor.
const PROCESSOR: [&str; 6] = ["cpu", "soc", "x86_pkg", "k10temp", "core", "package"];

/// The hottest sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heat {
    /// Degrees Celsius.
    pub celsius: f64,
    /// From where on the work is to be cut back, degrees Celsius.
    pub hot_c: f64,
}

/// The Raspberry Pi's flags of what goes on now (the upper half tells what has
/// happened since the start, and is left out).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardFlags {
    /// The supply's voltage is too low.
    pub undervoltage: bool,
    /// The board slows the processor down: capped, throttled, or at its soft limit
    /// of temperature.
    pub slowed: bool,
}

/// The hottest of the processor's sensors below `/sys/class/thermal`, or of all
/// sensors where none says that it is the processor's.
pub fn read(root: &Path) -> Option<Heat> {
    let class = root.join("sys/class/thermal");
    let mut zones: Vec<(bool, Heat)> = std::fs::read_dir(class)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| named(path, "thermal_zone"))
        .take(MOST)
        .filter_map(|zone| {
            let celsius = parse::celsius(&text(&zone.join("temp"))?)?;
            let kind = text(&zone.join("type")).unwrap_or_default();
            let kind = kind.to_ascii_lowercase();
            let processor = PROCESSOR.iter().any(|word| kind.contains(word));
            let hot_c = passive(&zone).map_or(HOT_C, |trip| trip - AHEAD_C);
            Some((processor, Heat { celsius, hot_c }))
        })
        .collect();
    if zones.iter().any(|(processor, _)| *processor) {
        zones.retain(|(processor, _)| *processor);
    }
    zones
        .into_iter()
        .map(|(_, heat)| heat)
        // The one nearest to its own bound.
        .max_by(|a, b| (a.celsius - a.hot_c).total_cmp(&(b.celsius - b.hot_c)))
}

/// The lowest temperature at which the kernel slows the processor down.
fn passive(zone: &Path) -> Option<f64> {
    let trips = std::fs::read_dir(zone).ok()?.flatten().take(8 * MOST);
    trips
        .map(|entry| entry.path())
        .filter(|path| named(path, "trip_point_"))
        .filter(|path| text(path).is_some_and(|kind| kind.trim() == "passive"))
        .filter_map(|kind| {
            let name = kind.file_name()?.to_str()?.strip_suffix("_type")?;
            parse::celsius(&text(&zone.join(format!("{name}_temp")))?)
        })
        // A trip point that is not set up tells 0 or less.
        .filter(|celsius| *celsius > 40.0)
        .min_by(f64::total_cmp)
}

fn named(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(prefix))
}

/// What a Raspberry Pi's firmware tells; `None` on other boards.
pub fn flags(root: &Path) -> Option<BoardFlags> {
    let file: PathBuf = root.join("sys/devices/platform/soc/soc:firmware/get_throttled");
    let flags = parse::throttled_flags(&text(&file)?)?;
    Some(BoardFlags {
        undervoltage: flags & 0x1 != 0,
        slowed: flags & 0xe != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let file = root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    #[test]
    fn the_processor_s_sensor_counts_and_its_own_trip_point() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(read(root), None);
        let class = "sys/class/thermal";
        put(root, &format!("{class}/thermal_zone0/temp"), "48123\n");
        put(root, &format!("{class}/thermal_zone1/temp"), "91000");
        put(root, &format!("{class}/thermal_zone1/type"), "battery\n");
        put(root, &format!("{class}/thermal_zone2/temp"), "hot");
        put(root, &format!("{class}/cooling_device0/temp"), "99000");
        let heat = |celsius, hot_c| Some(Heat { celsius, hot_c });
        assert_eq!(read(root), heat(91.0, 80.0), "nobody is the processor");
        put(
            root,
            &format!("{class}/thermal_zone0/type"),
            "cpu-thermal\n",
        );
        assert_eq!(read(root), heat(48.123, 80.0));
        for (name, what) in [
            ("trip_point_0_type", "critical"),
            ("trip_point_0_temp", "110000"),
            ("trip_point_1_type", "passive\n"),
            ("trip_point_1_temp", "85000\n"),
            ("trip_point_2_type", "passive\n"),
            ("trip_point_2_temp", "-5000\n"),
        ] {
            put(root, &format!("{class}/thermal_zone0/{name}"), what);
        }
        assert_eq!(read(root), heat(48.123, 82.0));
    }

    #[test]
    fn only_what_goes_on_now_counts() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(flags(folder.path()), None);
        for (text, undervoltage, slowed) in [
            ("50000\n", false, false),
            ("50005", true, true),
            ("1", true, false),
            ("8", false, true),
        ] {
            let file = "sys/devices/platform/soc/soc:firmware/get_throttled";
            put(folder.path(), file, text);
            let told = BoardFlags {
                undervoltage,
                slowed,
            };
            assert_eq!(flags(folder.path()), Some(told), "{text}");
        }
    }
}
