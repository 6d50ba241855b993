//! V4L2 devices, listed.

use std::fmt::Write as _;

use serde::Serialize;

use crate::camera::v4l2::{Control, Format, Info, list};
use crate::config::PixelFormat;

/// A camera with the configuration proposed for it.
#[derive(Serialize)]
pub(super) struct Listed {
    #[serde(flatten)]
    camera: Info,
    /// A `[camera]` section; `None` if it cannot be used as it is.
    toml: Option<String>,
}

/// All that there are.
pub(super) fn listed() -> Vec<Listed> {
    let cameras = list().into_iter();
    cameras
        .map(|camera| Listed {
            toml: section(&camera),
            camera,
        })
        .collect()
}

/// For people.
pub(super) fn plain(cameras: &[Listed]) -> String {
    let mut text = String::new();
    for listed in cameras {
        // Writing to a string does not fail.
        let _ = describe(&mut text, listed);
    }
    if cameras.is_empty() {
        text.push_str("No V4L2 camera is there.\n");
    }
    text.push_str(
        "Cameras on a Raspberry Pi's CSI socket are listed by `rpicam-hello --list-cameras`; \
         write source = \"rpicam\" for them.\n",
    );
    text
}

fn describe(text: &mut String, listed: &Listed) -> std::fmt::Result {
    let camera = &listed.camera;
    writeln!(text, "{}  {}", camera.path.display(), camera.card)?;
    if !camera.driver.is_empty() {
        writeln!(text, "  driver {}, at {}", camera.driver, camera.bus)?;
    }
    for name in &camera.stable {
        writeln!(text, "  also {}", name.display())?;
    }
    if let Some(trouble) = &camera.trouble {
        writeln!(text, "  cannot be opened: {trouble}")?;
        writeln!(
            text,
            "  if permission is lacking: usermod -aG video USER, and log in again\n"
        )?;
        return Ok(());
    }
    for format in &camera.formats {
        describe_format(text, format)?;
    }
    if !camera.controls.is_empty() {
        writeln!(text, "  controls")?;
    }
    for control in &camera.controls {
        describe_control(text, control)?;
    }
    match &listed.toml {
        Some(toml) => {
            writeln!(text, "  write in the configuration:")?;
            for line in toml.lines() {
                writeln!(text, "    {line}")?;
            }
        }
        None => writeln!(
            text,
            "  none of its formats can be used: a bare sensor wants source = \"rpicam\", others \
             source = \"pipe\" with ffmpeg or GStreamer"
        )?,
    }
    writeln!(text)
}

fn describe_format(text: &mut String, format: &Format) -> std::fmt::Result {
    let usable = match format.key {
        Some(_) => "",
        None => " (not used)",
    };
    writeln!(text, "  {} {}{usable}", format.fourcc, format.description)?;
    for size in &format.sizes {
        let rates: Vec<String> = size.fps.iter().map(|fps| number(*fps)).collect();
        match rates.is_empty() {
            true => writeln!(text, "    {size}")?,
            false => writeln!(text, "    {size} at {} fps", rates.join(", "))?,
        }
    }
    Ok(())
}

fn describe_control(text: &mut String, control: &Control) -> std::fmt::Result {
    let Control {
        name,
        kind,
        minimum,
        maximum,
        step,
        default,
        ..
    } = control;
    write!(
        text,
        "    {name} ({kind}): {minimum} to {maximum} in steps of {step}, default {default}"
    )?;
    if let Some(value) = control.value {
        write!(text, ", now {value}")?;
    }
    if control.inactive {
        write!(text, ", inactive")?;
    }
    if let Some(key) = control.key {
        write!(text, "  <- camera.{key}")?;
    }
    writeln!(text)?;
    for (index, name) in &control.menu {
        writeln!(text, "      {index} {name}")?;
    }
    Ok(())
}

/// A `[camera]` section for it: a size of up to two megapixels at 30 frames a
/// second or more, if there is one.
fn section(camera: &Info) -> Option<String> {
    let mut best: Option<(bool, bool, u64, u32, u32, f32)> = None;
    let usable = camera.formats.iter().filter(|format| format.key.is_some());
    let sizes = usable.flat_map(|format| &format.sizes);
    for size in sizes {
        let (width, height) = match size.width[0] == size.width[1] {
            true => (size.width[0], size.height[0]),
            // A range has what is usual.
            false => (1280.min(size.width[1]), 720.min(size.height[1])),
        };
        let area = u64::from(width) * u64::from(height);
        let fps = size.fps.first().copied().unwrap_or(30.0);
        let candidate = (fps >= 29.0, area <= 2_400_000, area, width, height, fps);
        if best.is_none_or(|best| candidate > best) {
            best = Some(candidate);
        }
    }
    let (width, height, fps) = match best {
        Some((.., width, height, fps)) => (width, height, fps.min(60.0)),
        // The driver does not tell its sizes.
        None if camera.formats.iter().any(|format| format.key.is_some()) => (1280, 720, 30.0),
        None => return None,
    };
    let device = camera.stable.first().unwrap_or(&camera.path);
    let mut toml = format!(
        "[camera]\nsource = \"v4l2\"\ndevice = {:?}\nwidth = {width}\nheight = {height}\n\
         fps = {}\nformat = \"{}\"\n",
        device.display().to_string(),
        decimal(fps),
        key(PixelFormat::Auto),
    );
    let has = |key| {
        camera
            .controls
            .iter()
            .any(|control| control.key == Some(key))
    };
    if has("exposure-us") {
        toml.push_str("exposure-us = 500  # as short as the light allows\n");
    }
    if has("gain") {
        let gains = camera.controls.iter();
        let gain = gains
            .filter(|control| control.key == Some("gain") && control.kind == "integer")
            .find_map(|control| control.value);
        if let Some(gain) = gain {
            let _ = writeln!(toml, "gain = {gain}.0");
        }
    }
    if has("focus") {
        toml.push_str("focus = \"leave\"\n");
    }
    Some(toml)
}

fn key(format: PixelFormat) -> String {
    let json = serde_json::to_string(&format).unwrap_or_default();
    json.trim_matches('"').to_owned()
}

/// With up to two decimals, none if they are 0.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// As TOML wants a float.
fn decimal(value: f32) -> String {
    let text = number(value);
    match text.contains('.') {
        true => text,
        false => text + ".0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::v4l2::Size;
    use crate::config::{Camera, Problems};

    fn size(width: u32, height: u32, fps: &[f32]) -> Size {
        Size {
            width: [width; 2],
            height: [height; 2],
            step: [1; 2],
            fps: fps.to_vec(),
        }
    }

    fn webcam() -> Info {
        Info {
            path: "/dev/video0".into(),
            stable: vec!["/dev/v4l/by-id/usb-Maker_Model-video-index0".into()],
            driver: "uvcvideo".into(),
            card: "Model".into(),
            bus: "usb-1".into(),
            formats: vec![
                Format {
                    fourcc: "YUYV".into(),
                    description: "YUYV 4:2:2".into(),
                    key: Some(PixelFormat::Yuyv),
                    sizes: vec![size(1920, 1080, &[5.0]), size(640, 480, &[30.0, 29.97])],
                },
                Format {
                    fourcc: "MJPG".into(),
                    description: "Motion-JPEG".into(),
                    key: Some(PixelFormat::Mjpeg),
                    sizes: vec![size(4000, 3000, &[30.0]), size(1280, 720, &[90.0, 59.94])],
                },
            ],
            controls: vec![Control {
                id: 0x0098_0913,
                name: "Gain".into(),
                kind: "integer",
                minimum: 0,
                maximum: 255,
                step: 1,
                default: 64,
                value: Some(60),
                inactive: false,
                menu: vec![],
                key: Some("gain"),
            }],
            trouble: None,
        }
    }

    #[test]
    fn the_proposal_is_a_section_that_the_configuration_accepts() {
        let toml = section(&webcam()).expect("usable");
        let section = toml.strip_prefix("[camera]\n").expect("its name");
        let camera: Camera = toml::from_str(section).expect("legal");
        assert_eq!((camera.width, camera.height, camera.fps), (1280, 720, 60.0));
        assert_eq!(camera.device, "/dev/v4l/by-id/usb-Maker_Model-video-index0");
        assert_eq!(camera.gain, Some(60.0));
        let mut problems = Problems::default();
        camera.resolve(&mut problems);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn a_bare_sensor_is_sent_to_rpicam() {
        let mut camera = webcam();
        camera
            .formats
            .iter_mut()
            .for_each(|format| format.key = None);
        let toml = section(&camera);
        assert_eq!(toml, None);
        let text = plain(&[Listed { camera, toml }]);
        assert!(text.contains("MJPG Motion-JPEG (not used)"), "{text}");
        assert!(text.contains("wants source = \"rpicam\""), "{text}");
    }

    #[test]
    fn all_that_is_known_is_listed() {
        let camera = webcam();
        let toml = section(&camera);
        let listed = [Listed { camera, toml }];
        let text = plain(&listed);
        for part in [
            "/dev/video0  Model",
            "also /dev/v4l/by-id/usb-Maker_Model-video-index0",
            "640x480 at 30, 29.97 fps",
            "Gain (integer): 0 to 255 in steps of 1, default 64, now 60  <- camera.gain",
            "    width = 1280",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let json: serde_json::Value = serde_json::to_value(&listed).expect("JSON");
        assert_eq!(json[0]["formats"][1]["sizes"][1]["fps"][0], 90.0);
        assert_eq!(json[0]["formats"][0]["key"], "yuyv");
    }
}
