//! What a device offers: pixel formats, sizes and rates; and the choice among
//! them.

use serde::Serialize;

use super::abi::{self, Fraction};
use super::device::{Device, text};
use crate::config::PixelFormat;

/// Most entries of any list that a driver is believed to have.
const MOST: u32 = 256;

/// A pixel format as the device offers it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Format {
    /// Four characters, such as `GREY`.
    pub fourcc: String,
    /// The driver's name for it.
    pub description: String,
    /// What to write as `camera.format`; `None` if it cannot be used.
    pub key: Option<PixelFormat>,
    /// Sizes; empty if the driver does not tell.
    pub sizes: Vec<Size>,
}

/// A size, or a range of them, with its rates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Size {
    /// Smallest and largest width in pixels.
    pub width: [u32; 2],
    /// Smallest and largest height in pixels.
    pub height: [u32; 2],
    /// Steps of width and height.
    pub step: [u32; 2],
    /// Frames a second at this size (of a range: its largest), fastest first;
    /// empty if the driver does not tell.
    pub fps: Vec<f32>,
}

/// Formats that can be turned to luma, the cheapest first.
const USABLE: [([u8; 4], PixelFormat); 5] = [
    (*b"GREY", PixelFormat::Grey),
    (*b"NV12", PixelFormat::Nv12),
    (*b"YUYV", PixelFormat::Yuyv),
    (*b"MJPG", PixelFormat::Mjpeg),
    (*b"JPEG", PixelFormat::Mjpeg),
];

/// A format chosen for a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) fourcc: [u8; 4],
    pub(super) format: PixelFormat,
}

/// Why none could be chosen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NoChoice {
    /// It has no such format, or none that is of use: what it has.
    Format(Vec<String>),
    /// It has the format, but not in this size: what it has.
    Size(Vec<String>),
}

impl Format {
    fn of(description: &abi::FormatDescription) -> Self {
        let known = USABLE.iter().find(|(code, _)| *code == description.fourcc);
        Self {
            fourcc: name_of(description.fourcc),
            description: text(&description.description),
            key: known.map(|(_, format)| *format),
            sizes: Vec::new(),
        }
    }

    /// The largest rate at this size, 0 if the driver does not tell; `None` if
    /// it does not offer the size.
    fn rate(&self, width: u32, height: u32, exact: impl Fn() -> Option<f32>) -> Option<f32> {
        if self.sizes.is_empty() {
            return Some(exact().unwrap_or(0.0));
        }
        let size = self.sizes.iter().find(|size| size.holds(width, height))?;
        let rate = if size.is_one() {
            size.fps.first().copied()
        } else {
            exact()
        };
        Some(rate.unwrap_or(0.0))
    }
}

impl Size {
    fn is_one(&self) -> bool {
        self.width[0] == self.width[1] && self.height[0] == self.height[1]
    }

    fn holds(&self, width: u32, height: u32) -> bool {
        let fits = |side: u32, range: [u32; 2], step: u32| {
            (range[0]..=range[1]).contains(&side) && (side - range[0]).is_multiple_of(step.max(1))
        };
        fits(width, self.width, self.step[0]) && fits(height, self.height, self.step[1])
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] = [0, 1].map(|end| format!("{}x{}", self.width[end], self.height[end]));
        match self.is_one() {
            true => f.write_str(&low),
            false => write!(f, "{low} to {high}"),
        }
    }
}

/// As the kernel's own tools write it: the highest bit means big-endian.
fn name_of(mut fourcc: [u8; 4]) -> String {
    let big_endian = fourcc[3] & 0x80 != 0;
    fourcc[3] &= 0x7f;
    let name = text(&fourcc);
    match big_endian {
        true => name + "-BE",
        false => name,
    }
}

/// All that the device offers, with sizes and rates.
pub(super) fn list(device: &Device) -> Vec<Format> {
    let mut formats = Vec::new();
    for index in 0..MOST {
        let mut description = abi::FormatDescription {
            index,
            kind: abi::CAPTURE,
            ..Default::default()
        };
        if device.call(&abi::ENUM_FMT, &mut description).is_err() {
            break;
        }
        let mut format = Format::of(&description);
        format.sizes = sizes(device, description.fourcc);
        formats.push(format);
    }
    formats
}

fn sizes(device: &Device, fourcc: [u8; 4]) -> Vec<Size> {
    let mut sizes = Vec::new();
    for index in 0..MOST {
        let mut size = abi::FrameSize {
            index,
            fourcc,
            ..Default::default()
        };
        if device.call(&abi::ENUM_FRAMESIZES, &mut size).is_err() {
            break;
        }
        let values = size.values;
        let one = size.kind == 1;
        let (width, height, step) = match one {
            true => ([values[0]; 2], [values[1]; 2], [1; 2]),
            false => (
                [values[0], values[1]],
                [values[3], values[4]],
                [values[2], values[5]],
            ),
        };
        let fps = rates(device, fourcc, width[1], height[1]);
        sizes.push(Size {
            width,
            height,
            step,
            fps,
        });
        if !one {
            break;
        }
    }
    sizes
}

/// Frames a second at a size, fastest first; of a range its two ends.
fn rates(device: &Device, fourcc: [u8; 4], width: u32, height: u32) -> Vec<f32> {
    let mut rates = Vec::new();
    for index in 0..MOST {
        let mut interval = abi::FrameInterval {
            index,
            fourcc,
            width,
            height,
            ..Default::default()
        };
        if device
            .call(&abi::ENUM_FRAMEINTERVALS, &mut interval)
            .is_err()
        {
            break;
        }
        let [first, second, _] = interval.intervals.map(fps_of);
        rates.extend(first);
        if interval.kind != 1 {
            rates.extend(second);
            break;
        }
    }
    rates.sort_by(|a, b| b.total_cmp(a));
    rates.dedup();
    rates
}

/// Frames a second of an interval in seconds.
pub(super) fn fps_of(interval: Fraction) -> Option<f32> {
    let fps = f64::from(interval.below) / f64::from(interval.above);
    (fps.is_finite() && fps > 0.0).then_some(fps as f32)
}

/// The interval in seconds of a rate.
pub(super) fn interval_of(fps: f32) -> Fraction {
    let whole = fps.round();
    match (fps - whole).abs() < 1e-3 {
        true => Fraction {
            above: 1,
            below: whole as u32,
        },
        false => Fraction {
            above: 1000,
            below: (fps * 1000.0).round() as u32,
        },
    }
}

/// The cheapest format that has the size at the rate; if none is that fast,
/// the fastest one.
pub(super) fn choose(
    offered: &[Format],
    wanted: PixelFormat,
    (width, height, fps): (u32, u32, f32),
    exact: impl Fn([u8; 4]) -> Option<f32>,
) -> Result<Choice, NoChoice> {
    let find = |fourcc: [u8; 4]| offered.iter().find(|f| f.fourcc.as_bytes() == fourcc);
    let candidates: Vec<(Choice, &Format)> = USABLE
        .into_iter()
        .filter(|(_, format)| wanted == PixelFormat::Auto || *format == wanted)
        .filter_map(|(fourcc, format)| Some((Choice { fourcc, format }, find(fourcc)?)))
        .collect();
    if candidates.is_empty() {
        return Err(NoChoice::Format(
            offered.iter().map(|f| f.fourcc.clone()).collect(),
        ));
    }
    let mut fastest: Option<(f32, Choice)> = None;
    for (choice, format) in &candidates {
        let Some(rate) = format.rate(width, height, || exact(choice.fourcc)) else {
            continue;
        };
        // 59.94 is meant when 60 is written; 0 is a driver that does not tell.
        if rate >= fps * 0.98 || rate == 0.0 {
            return Ok(*choice);
        }
        if fastest.is_none_or(|(best, _)| rate > best) {
            fastest = Some((rate, *choice));
        }
    }
    match fastest {
        Some((_, choice)) => Ok(choice),
        None => Err(NoChoice::Size(
            candidates
                .iter()
                .flat_map(|(_, format)| format.sizes.iter().map(Size::to_string))
                .fold(Vec::new(), |mut sizes, size| {
                    if !sizes.contains(&size) {
                        sizes.push(size);
                    }
                    sizes
                }),
        )),
    }
}

/// [`choose`] with the device at hand.
pub(super) fn choose_on(
    device: &Device,
    wanted: PixelFormat,
    (width, height, fps): (u32, u32, f32),
) -> Result<Choice, NoChoice> {
    choose(&list(device), wanted, (width, height, fps), |fourcc| {
        rates(device, fourcc, width, height).first().copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(fourcc: &[u8; 4], sizes: &[(u32, u32, f32)]) -> Format {
        let mut format = Format::of(&abi::FormatDescription {
            fourcc: *fourcc,
            ..Default::default()
        });
        format.sizes = sizes
            .iter()
            .map(|&(width, height, fps)| Size {
                width: [width; 2],
                height: [height; 2],
                step: [1; 2],
                fps: vec![fps],
            })
            .collect();
        format
    }

    fn chosen(offered: &[Format], fps: f32) -> PixelFormat {
        choose(offered, PixelFormat::Auto, (1280, 720, fps), |_| None)
            .expect("one fits")
            .format
    }

    #[test]
    fn the_cheapest_that_is_fast_enough_is_taken() {
        let usb = [
            offer(b"MJPG", &[(1280, 720, 60.0), (640, 480, 120.0)]),
            offer(b"YUYV", &[(1280, 720, 9.0), (640, 480, 30.0)]),
            offer(b"H264", &[(1280, 720, 90.0)]),
        ];
        assert_eq!(chosen(&usb, 60.0), PixelFormat::Mjpeg);
        assert_eq!(chosen(&usb, 5.0), PixelFormat::Yuyv);
        assert_eq!(chosen(&usb, 200.0), PixelFormat::Mjpeg, "the fastest");
        let mono = [usb.as_slice(), &[offer(b"GREY", &[(1280, 720, 59.94)])]].concat();
        assert_eq!(chosen(&mono, 60.0), PixelFormat::Grey);
        let silent = [offer(b"YUYV", &[]), offer(b"MJPG", &[])];
        assert_eq!(chosen(&silent, 60.0), PixelFormat::Yuyv);
    }

    #[test]
    fn what_is_not_offered_is_answered_with_what_is() {
        let usb = [
            offer(b"YUYV", &[(640, 480, 30.0), (320, 240, 30.0)]),
            offer(b"H264", &[(1280, 720, 30.0)]),
        ];
        let ask = |format| choose(&usb, format, (1280, 720, 30.0), |_| None);
        assert_eq!(
            ask(PixelFormat::Auto),
            Err(NoChoice::Size(vec!["640x480".into(), "320x240".into()]))
        );
        assert_eq!(
            ask(PixelFormat::Grey),
            Err(NoChoice::Format(vec!["YUYV".into(), "H264".into()]))
        );
    }

    #[test]
    fn a_range_holds_its_steps() {
        let range = Size {
            width: [48, 4096],
            height: [32, 2160],
            step: [4, 2],
            fps: vec![],
        };
        assert!(range.holds(1280, 720) && range.holds(48, 2160));
        assert!(!range.holds(1282, 720) && !range.holds(1280, 2162) && !range.holds(0, 0));
        assert_eq!(range.to_string(), "48x32 to 4096x2160");
    }

    #[test]
    fn rates_and_intervals_are_each_others_inverse() {
        for fps in [60.0, 29.97, 0.5, 1000.0] {
            let back = fps_of(interval_of(fps)).expect("a rate");
            assert!((back - fps).abs() < 1e-3, "{fps}: {back}");
        }
        assert_eq!(interval_of(30.0).above, 1);
        assert_eq!(
            fps_of(Fraction {
                above: 0,
                below: 30
            }),
            None
        );
        assert_eq!(fps_of(Fraction { above: 1, below: 0 }), None);
    }
}
