//! Exposure, gain, focus and rate on a device: each set by the control that the
//! device has for it, read back, and what differs told.
//!
//! UVC cameras count exposure in 100 µs. Sensors on a node of their own count
//! it in lines, which are turned to time by pixel rate and blanking. Automatic
//! modes go off when a value is asked for, and the dynamic frame rate, which
//! lengthens exposure at the cost of frames, goes off always.

use std::io;

use serde::Serialize;

use super::abi;
use super::device::{Device, text};
use crate::config::{CameraPlan, Focus};

const EXPOSURE: u32 = 0x0098_0911;
const AUTOGAIN: u32 = 0x0098_0912;
const GAIN: u32 = 0x0098_0913;
const EXPOSURE_AUTO: u32 = 0x009a_0901;
const EXPOSURE_ABSOLUTE: u32 = 0x009a_0902;
const EXPOSURE_AUTO_PRIORITY: u32 = 0x009a_0903;
const FOCUS_ABSOLUTE: u32 = 0x009a_090a;
const FOCUS_AUTO: u32 = 0x009a_090c;
const HBLANK: u32 = 0x009e_0902;
const ANALOGUE_GAIN: u32 = 0x009e_0903;
const PIXEL_RATE: u32 = 0x009f_0902;

/// Entries of the menu `V4L2_CID_EXPOSURE_AUTO`.
const EXPOSURE_MANUAL: i32 = 1;
const EXPOSURE_SHUTTER_PRIORITY: i32 = 2;

/// Most controls that a driver is believed to have.
const MOST: usize = 512;

/// A control as the device offers it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Control {
    /// Number, as `V4L2_CID_…`.
    pub id: u32,
    /// The driver's name for it.
    pub name: String,
    /// Integer, switch, menu …
    pub kind: &'static str,
    /// Least value.
    pub minimum: i32,
    /// Greatest value.
    pub maximum: i32,
    /// Step between values.
    pub step: i32,
    /// Value after power-on.
    pub default: i32,
    /// Value now, where it can be read.
    pub value: Option<i32>,
    /// Without effect at present, as a manual value under an automatic mode.
    pub inactive: bool,
    /// Names of a menu's entries.
    pub menu: Vec<(u32, String)>,
    /// The key below `[camera]` that sets it.
    pub key: Option<&'static str>,
}

/// Which controls were set, and to what.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Applied {
    /// Exposure time as the device has it, in microseconds.
    pub(super) exposure_us: Option<u32>,
    /// What was set, for the description.
    pub(super) told: Vec<String>,
    /// What could not be done as asked.
    pub(super) trouble: Vec<String>,
}

/// What the device's controls are reached through; a device, or a test's list.
pub(super) trait Board {
    fn query(&self, id: u32) -> Option<abi::QueryControl>;
    fn get(&self, id: u32) -> io::Result<i32>;
    fn get64(&self, id: u32) -> io::Result<i64>;
    fn set(&self, id: u32, value: i32) -> io::Result<()>;
    fn has_entry(&self, id: u32, entry: i32) -> bool;
}

impl Board for Device {
    fn query(&self, id: u32) -> Option<abi::QueryControl> {
        let mut query = abi::QueryControl {
            id,
            ..Default::default()
        };
        self.call(&abi::QUERYCTRL, &mut query).ok()?;
        (query.flags & abi::CTRL_DISABLED == 0).then_some(query)
    }

    fn get(&self, id: u32) -> io::Result<i32> {
        let mut control = abi::Control { id, value: 0 };
        self.call(&abi::G_CTRL, &mut control)?;
        Ok(control.value)
    }

    fn get64(&self, id: u32) -> io::Result<i64> {
        self.control64(id)
    }

    fn set(&self, id: u32, value: i32) -> io::Result<()> {
        self.call(&abi::S_CTRL, &mut abi::Control { id, value })
    }

    fn has_entry(&self, id: u32, entry: i32) -> bool {
        let mut menu = abi::QueryMenu {
            id,
            index: entry as u32,
            ..Default::default()
        };
        self.call(&abi::QUERYMENU, &mut menu).is_ok()
    }
}

/// Sets what the plan asks for. Nothing here is worth refusing to run: what
/// cannot be done is told.
pub(super) fn apply(board: &dyn Board, plan: &CameraPlan) -> Applied {
    let mut applied = Applied::default();
    // Also with automatic exposure: a belt needs its frames.
    if board.query(EXPOSURE_AUTO_PRIORITY).is_some() {
        put(
            board,
            "dynamic frame rate",
            EXPOSURE_AUTO_PRIORITY,
            0,
            &mut applied,
        );
    }
    if let Some(exposure_us) = plan.exposure_us {
        exposure(board, exposure_us, plan.width, &mut applied);
    }
    if let Some(gain) = plan.gain {
        if board.query(AUTOGAIN).is_some() {
            put(board, "automatic gain", AUTOGAIN, 0, &mut applied);
        }
        match [GAIN, ANALOGUE_GAIN]
            .into_iter()
            .find(|id| board.query(*id).is_some())
        {
            Some(id) => {
                if let Some(value) = put(board, "gain", id, gain.round() as i32, &mut applied) {
                    applied.told.push(format!("gain {value}"));
                }
            }
            None => applied.lacks("gain"),
        }
    }
    focus(board, plan.focus, &mut applied);
    applied
}

fn exposure(board: &dyn Board, wanted_us: u32, width: u32, applied: &mut Applied) {
    if board.query(EXPOSURE_AUTO).is_some() {
        // Some cameras have no manual mode, but one that leaves the iris alone.
        let mode = [EXPOSURE_MANUAL, EXPOSURE_SHUTTER_PRIORITY]
            .into_iter()
            .find(|entry| board.has_entry(EXPOSURE_AUTO, *entry));
        match mode {
            Some(mode) => {
                put(board, "exposure mode", EXPOSURE_AUTO, mode, applied);
            }
            None => applied.lacks("manual exposure mode"),
        }
    }
    let (id, unit_us) = if board.query(EXPOSURE_ABSOLUTE).is_some() {
        (EXPOSURE_ABSOLUTE, 100.0)
    } else if board.query(EXPOSURE).is_some() {
        match line_us(board, width) {
            Some(line_us) => (EXPOSURE, line_us),
            None => {
                applied.trouble.push(
                    "exposure is left alone: the camera counts it in a unit that it does not tell"
                        .into(),
                );
                return;
            }
        }
    } else {
        applied.lacks("exposure");
        return;
    };
    let steps = (f64::from(wanted_us) / unit_us).round().clamp(1.0, 1e9) as i32;
    if let Some(value) = put(board, "exposure", id, steps, applied) {
        let us = (f64::from(value) * unit_us).round() as u32;
        applied.exposure_us = Some(us);
        applied.told.push(format!("exposure {us} µs"));
        if u64::from(us.abs_diff(wanted_us)) * 50 > u64::from(wanted_us) {
            let step = format!("it counts in steps of {unit_us:.1} µs");
            applied.trouble.push(format!(
                "exposure is {us} µs instead of {wanted_us} µs ({step})"
            ));
        }
    }
}

/// Duration of a sensor's line in microseconds.
fn line_us(board: &dyn Board, width: u32) -> Option<f64> {
    let blank = u32::try_from(board.get(HBLANK).ok()?).ok()?;
    let rate = board.get64(PIXEL_RATE).ok().filter(|rate| *rate > 0)?;
    Some(f64::from(width + blank) * 1e6 / rate as f64)
}

fn focus(board: &dyn Board, focus: Focus, applied: &mut Applied) {
    let automatic = board.query(FOCUS_AUTO).is_some();
    if automatic {
        let on = i32::from(focus == Focus::Auto);
        put(board, "automatic focus", FOCUS_AUTO, on, applied);
    } else if focus == Focus::Auto {
        applied.lacks("automatic focus");
    }
    if let Focus::At(position) = focus {
        if board.query(FOCUS_ABSOLUTE).is_none() {
            applied.lacks("focus");
            return;
        }
        let position = position.round() as i32;
        if let Some(value) = put(board, "focus", FOCUS_ABSOLUTE, position, applied) {
            applied.told.push(format!("focus {value}"));
        }
    }
}

/// Sets one control within its range and reads it back.
fn put(board: &dyn Board, name: &str, id: u32, wanted: i32, applied: &mut Applied) -> Option<i32> {
    let query = board.query(id)?;
    let value = wanted.clamp(query.minimum, query.maximum.max(query.minimum));
    if let Err(error) = board.set(id, value) {
        applied
            .trouble
            .push(format!("{name} cannot be set to {value}: {error}"));
    }
    let now = board.get(id).unwrap_or(value);
    if now != wanted {
        applied.trouble.push(format!(
            "{name} is {now} instead of {wanted} (the camera takes {} to {} in steps of {})",
            query.minimum, query.maximum, query.step
        ));
    }
    Some(now)
}

impl Applied {
    fn lacks(&mut self, what: &str) {
        self.trouble
            .push(format!("the camera has no {what} control"));
    }
}

/// All controls of the device.
pub(super) fn list(device: &Device) -> Vec<Control> {
    let mut controls = Vec::new();
    let mut id = abi::CTRL_NEXT;
    for _ in 0..MOST {
        let mut query = abi::QueryControl {
            id,
            ..Default::default()
        };
        // A driver that does not move on would keep us here for ever.
        if device.call(&abi::QUERYCTRL, &mut query).is_err() || query.id | abi::CTRL_NEXT == id {
            break;
        }
        id = query.id | abi::CTRL_NEXT;
        if query.flags & abi::CTRL_DISABLED == 0 && query.kind != abi::TYPE_CLASS {
            controls.push(Control::of(device, &query));
        }
    }
    controls
}

impl Control {
    fn of(device: &Device, query: &abi::QueryControl) -> Self {
        let readable = query.flags & abi::CTRL_WRITE_ONLY == 0 && query.kind != abi::TYPE_BUTTON;
        Self {
            id: query.id,
            name: text(&query.name),
            kind: match query.kind {
                abi::TYPE_INTEGER => "integer",
                abi::TYPE_BOOLEAN => "switch",
                abi::TYPE_MENU | abi::TYPE_INTEGER_MENU => "menu",
                abi::TYPE_BUTTON => "button",
                _ => "other",
            },
            minimum: query.minimum,
            maximum: query.maximum,
            step: query.step,
            default: query.default,
            value: readable.then(|| device.get(query.id).ok()).flatten(),
            inactive: query.flags & (abi::CTRL_INACTIVE | abi::CTRL_READ_ONLY) != 0,
            menu: menu(device, query),
            key: match query.id {
                EXPOSURE_ABSOLUTE | EXPOSURE | EXPOSURE_AUTO => Some("exposure-us"),
                GAIN | ANALOGUE_GAIN | AUTOGAIN => Some("gain"),
                FOCUS_ABSOLUTE | FOCUS_AUTO => Some("focus"),
                _ => None,
            },
        }
    }
}

fn menu(device: &Device, query: &abi::QueryControl) -> Vec<(u32, String)> {
    let numbers = query.kind == abi::TYPE_INTEGER_MENU;
    if query.kind != abi::TYPE_MENU && !numbers {
        return Vec::new();
    }
    let last = query.maximum.clamp(0, MOST as i32) as u32;
    let entries = (query.minimum.max(0) as u32)..=last;
    entries
        .filter_map(|index| {
            let mut entry = abi::QueryMenu {
                id: query.id,
                index,
                ..Default::default()
            };
            device.call(&abi::QUERYMENU, &mut entry).ok()?;
            let name = match (numbers, entry.name.first_chunk()) {
                (true, Some(number)) => i64::from_ne_bytes(*number).to_string(),
                _ => text(&entry.name),
            };
            Some((index, name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::testing::plan;
    use crate::config::{PixelFormat, SourcePlan};
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    /// Controls with range and value.
    struct Fake {
        controls: RefCell<BTreeMap<u32, (i32, i32, i32)>>,
        pixel_rate: Option<i64>,
        /// Entries of the exposure menu.
        modes: Vec<i32>,
        /// Refuses to be set.
        stuck: Option<u32>,
    }

    impl Board for Fake {
        fn query(&self, id: u32) -> Option<abi::QueryControl> {
            let (minimum, maximum, _) = *self.controls.borrow().get(&id)?;
            let mut query = abi::QueryControl::default();
            (query.minimum, query.maximum, query.step) = (minimum, maximum, 1);
            Some(query)
        }

        fn get(&self, id: u32) -> io::Result<i32> {
            let controls = self.controls.borrow();
            let control = controls.get(&id).ok_or(io::ErrorKind::InvalidInput)?;
            Ok(control.2)
        }

        fn get64(&self, _: u32) -> io::Result<i64> {
            Ok(self.pixel_rate.ok_or(io::ErrorKind::InvalidInput)?)
        }

        fn set(&self, id: u32, value: i32) -> io::Result<()> {
            if self.stuck == Some(id) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            let mut controls = self.controls.borrow_mut();
            controls.get_mut(&id).ok_or(io::ErrorKind::InvalidInput)?.2 = value;
            Ok(())
        }

        fn has_entry(&self, _: u32, entry: i32) -> bool {
            self.modes.contains(&entry)
        }
    }

    fn fake(controls: &[(u32, i32, i32, i32)]) -> Fake {
        let controls = controls.iter().map(|&(id, a, b, v)| (id, (a, b, v)));
        Fake {
            controls: RefCell::new(controls.collect()),
            pixel_rate: None,
            modes: vec![EXPOSURE_MANUAL, 3],
            stuck: None,
        }
    }

    fn asked(exposure_us: Option<u32>, gain: Option<f32>, focus: Focus) -> CameraPlan {
        let source = SourcePlan::V4l2 {
            device: "/dev/video0".into(),
            format: PixelFormat::Auto,
        };
        CameraPlan {
            exposure_us,
            gain,
            focus,
            ..plan(source, 1280, 800)
        }
    }

    fn webcam() -> Fake {
        fake(&[
            (EXPOSURE_AUTO, 0, 3, 3),
            (EXPOSURE_ABSOLUTE, 3, 2047, 250),
            (EXPOSURE_AUTO_PRIORITY, 0, 1, 1),
            (AUTOGAIN, 0, 1, 1),
            (GAIN, 0, 255, 64),
            (FOCUS_AUTO, 0, 1, 1),
            (FOCUS_ABSOLUTE, 0, 250, 30),
        ])
    }

    #[test]
    fn a_webcam_is_taken_out_of_its_automatic_modes() {
        let camera = webcam();
        let applied = apply(&camera, &asked(Some(2000), Some(10.0), Focus::At(42.0)));
        assert_eq!(applied.trouble, [""; 0]);
        assert_eq!(applied.exposure_us, Some(2000));
        assert_eq!(applied.told, ["exposure 2000 µs", "gain 10", "focus 42"]);
        for (id, value) in [
            (EXPOSURE_AUTO, EXPOSURE_MANUAL),
            (EXPOSURE_ABSOLUTE, 20),
            (EXPOSURE_AUTO_PRIORITY, 0),
            (AUTOGAIN, 0),
            (GAIN, 10),
            (FOCUS_AUTO, 0),
            (FOCUS_ABSOLUTE, 42),
        ] {
            assert_eq!(camera.get(id).ok(), Some(value), "{id:#x}");
        }
    }

    #[test]
    fn what_is_not_asked_for_is_left_to_the_camera() {
        let camera = webcam();
        let applied = apply(&camera, &asked(None, None, Focus::Auto));
        assert_eq!(applied.exposure_us, None);
        assert_eq!(camera.get(EXPOSURE_AUTO).ok(), Some(3));
        assert_eq!(camera.get(AUTOGAIN).ok(), Some(1));
        assert_eq!(camera.get(FOCUS_AUTO).ok(), Some(1));
        assert_eq!(camera.get(EXPOSURE_AUTO_PRIORITY).ok(), Some(0));
        // The lens stays where it is, which autofocus would not let it.
        apply(&camera, &asked(None, None, Focus::Leave));
        assert_eq!(camera.get(FOCUS_AUTO).ok(), Some(0));
        assert_eq!(camera.get(FOCUS_ABSOLUTE).ok(), Some(30));
    }

    #[test]
    fn a_difference_is_told() {
        let camera = webcam();
        let applied = apply(&camera, &asked(Some(150), Some(999.0), Focus::Leave));
        // 150 µs are two steps of 100, and the camera begins at three.
        assert_eq!(applied.exposure_us, Some(300));
        assert!(applied.trouble[0].starts_with("exposure is 3 instead of 2"));
        assert!(applied.trouble[1].starts_with("exposure is 300 µs instead of 150 µs"));
        assert!(applied.trouble[2].starts_with("gain is 255 instead of 999"));

        let camera = Fake {
            stuck: Some(GAIN),
            ..webcam()
        };
        let applied = apply(&camera, &asked(None, Some(9.0), Focus::Leave));
        assert!(applied.trouble[0].starts_with("gain cannot be set to 9"));
        assert!(applied.trouble[1].starts_with("gain is 64 instead of 9"));

        let applied = apply(&fake(&[]), &asked(Some(9), Some(9.0), Focus::At(1.0)));
        assert_eq!(applied.trouble.len(), 3);
        assert!(applied.trouble[2].contains("no focus control"));
    }

    #[test]
    fn a_sensor_counts_in_lines() {
        // OV9281 at 1280x800: 728 pixels of blanking make a line of 12.55 µs.
        let camera = Fake {
            pixel_rate: Some(160_000_000),
            ..fake(&[(EXPOSURE, 1, 885, 885), (HBLANK, 728, 728, 728)])
        };
        let applied = apply(&camera, &asked(Some(502), None, Focus::Leave));
        assert_eq!(camera.get(EXPOSURE).ok(), Some(40));
        assert_eq!(applied.exposure_us, Some(502));
        assert_eq!(applied.trouble, [""; 0]);

        let unknown = fake(&[(EXPOSURE, 1, 885, 885)]);
        let applied = apply(&unknown, &asked(Some(502), None, Focus::Leave));
        assert_eq!(unknown.get(EXPOSURE).ok(), Some(885));
        assert_eq!(applied.exposure_us, None);
        assert!(applied.trouble[0].contains("unit"));
    }
}
