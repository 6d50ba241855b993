//! A video file through ffmpeg, which writes it as YUV4MPEG2 in grey: that
//! format's header carries size and rate, so that nothing need be known before,
//! and rotated or anamorphic recordings come out as they are shown.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::Played;
use crate::camera::feed::{Feed, Framing, Next, read_raw};
use crate::camera::picture::MAX_SIDE;
use crate::camera::slot::{Keep, Shot};
use crate::camera::{CameraError, CameraErrorKind};
use crate::config::CameraPlan;
use crate::frame::Pool;

/// Longest header line that is read.
const LINE_BYTES: u64 = 512;

/// A video being decoded.
pub(super) struct Video {
    path: PathBuf,
    plan: CameraPlan,
    feed: Feed,
    header: Arc<OnceLock<Header>>,
    /// A picture that found no buffer, or that came before it was asked for.
    pending: Option<Shot>,
    /// Pictures to pass over.
    skip: u64,
}

/// What the stream says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Header {
    width: usize,
    height: usize,
    fps: f64,
}

impl Video {
    /// Starts ffmpeg.
    pub(super) fn open(plan: &CameraPlan, path: &Path) -> Result<Self, CameraError> {
        let header = Arc::new(OnceLock::new());
        let feed = start(plan, path, &header)?;
        Ok(Self {
            path: path.to_owned(),
            plan: plan.clone(),
            feed,
            header,
            pending: None,
            skip: 0,
        })
    }

    /// Its own rate; `None` if it is not known within `patience`.
    pub(super) fn fps(&mut self, patience: Duration) -> Result<Option<f64>, CameraError> {
        if self.header.get().is_none() && self.pending.is_none() {
            // The header is there before the first picture.
            match self.next_shot(patience)? {
                Next::Shot(shot) => self.pending = Some(shot),
                Next::Idle => {}
                Next::End => return Err(self.empty()),
            }
        }
        Ok(self.header.get().map(|header| header.fps))
    }

    /// Passes over `count` pictures.
    pub(super) fn skip(&mut self, count: u64) -> u64 {
        self.skip += count;
        count
    }

    pub(super) fn rewind(&mut self) -> Result<(), CameraError> {
        self.header = Arc::new(OnceLock::new());
        self.feed = start(&self.plan, &self.path, &self.header)?;
        self.skip = 0;
        Ok(())
    }

    pub(super) fn next(&mut self, pool: &Pool, patience: Duration) -> Result<Played, CameraError> {
        let shot = loop {
            let shot = match self.pending.take() {
                Some(shot) => shot,
                None => match self.next_shot(patience)? {
                    Next::Shot(shot) => shot,
                    Next::Idle => return Ok(Played::Idle),
                    Next::End => return Ok(Played::End),
                },
            };
            if self.skip == 0 {
                break shot;
            }
            self.skip -= 1;
            self.feed.give_back(shot);
        };
        let Some(Header { width, height, .. }) = self.header.get().copied() else {
            unreachable!("a picture comes after its header");
        };
        let Some(mut frame) = pool.take(width, height) else {
            if width * height > pool.buffer_bytes() {
                return Err(too_large(&self.path, width, height));
            }
            self.pending = Some(shot);
            return Ok(Played::NoBuffer);
        };
        frame.copy_from_slice(&shot.bytes);
        self.feed.give_back(shot);
        Ok(Played::Frame(frame))
    }

    fn next_shot(&mut self, patience: Duration) -> Result<Next, CameraError> {
        self.feed.next(patience).map_err(|error| {
            // A video that cannot be decoded stays so: what it says is of more
            // use than that its child has ended.
            CameraError {
                kind: CameraErrorKind::Unsupported,
                message: format!(
                    "{} cannot be played: {}",
                    self.path.display(),
                    error.message
                ),
                cure: "set camera.path to a picture, a folder of pictures, or a video that \
                       ffmpeg reads"
                    .into(),
            }
        })
    }

    fn empty(&self) -> CameraError {
        CameraError {
            kind: CameraErrorKind::Unsupported,
            message: format!("{} holds no picture", self.path.display()),
            cure: "set camera.path to a video with a picture track".into(),
        }
    }
}

fn start(
    plan: &CameraPlan,
    path: &Path,
    header: &Arc<OnceLock<Header>>,
) -> Result<Feed, CameraError> {
    // `file:` keeps a name with a colon from being taken for a protocol.
    let mut input = std::ffi::OsString::from("file:");
    input.push(path);
    let input = input.into_string().map_err(|_| CameraError {
        kind: CameraErrorKind::Unsupported,
        message: format!("the name {} is not UTF-8", path.display()),
        cure: "rename the file".into(),
    })?;
    let command: Vec<String> = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-i",
        &input,
        "-map",
        "0:v:0",
        "-pix_fmt",
        "gray",
        "-strict",
        "-1",
        "-f",
        "yuv4mpegpipe",
        "-",
    ]
    .map(String::from)
    .into();
    let framing = Y4m {
        header: Arc::clone(header),
        path: path.to_owned(),
        most_pixels: plan.width as usize * plan.height as usize,
    };
    Feed::start(
        &command,
        Stdio::null(),
        None,
        Box::new(framing),
        Keep::Every,
        plan.timeout,
    )
    .map_err(|error| CameraError {
        cure: match error.kind {
            CameraErrorKind::Absent => {
                "install ffmpeg (apt install ffmpeg), or give a folder of pictures".into()
            }
            _ => error.cure,
        },
        ..error
    })
}

fn too_large(path: &Path, width: usize, height: usize) -> CameraError {
    CameraError {
        kind: CameraErrorKind::Unsupported,
        message: format!("{} is {width}x{height}", path.display()),
        cure: format!("set camera.width = {width} and camera.height = {height}"),
    }
}

/// YUV4MPEG2 in grey.
struct Y4m {
    header: Arc<OnceLock<Header>>,
    path: PathBuf,
    most_pixels: usize,
}

impl Framing for Y4m {
    fn read(&mut self, from: &mut dyn BufRead, picture: &mut Vec<u8>) -> io::Result<bool> {
        let header = match self.header.get() {
            Some(header) => *header,
            None => {
                let Some(line) = read_line(from)? else {
                    return Ok(false);
                };
                let header = parse_header(&line).ok_or_else(|| bad("its stream has no header"))?;
                if header.width * header.height > self.most_pixels {
                    let error = too_large(&self.path, header.width, header.height);
                    return Err(io::Error::other(error.to_string()));
                }
                *self.header.get_or_init(|| header)
            }
        };
        match read_line(from)? {
            None => Ok(false),
            Some(line) if line == "FRAME" || line.starts_with("FRAME ") => {
                match read_raw(from, header.width * header.height, picture)? {
                    true => Ok(true),
                    false => Err(bad("its stream ends before a picture")),
                }
            }
            Some(_) => Err(bad("its stream is out of step")),
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// One line without its end; `None` at the end of the stream.
fn read_line(from: &mut dyn BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if from.take(LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    match line.pop() {
        Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).into_owned())),
        _ => Err(bad("a header line of its stream has no end")),
    }
}

fn parse_header(line: &str) -> Option<Header> {
    let mut words = line.split(' ');
    if words.next()? != "YUV4MPEG2" {
        return None;
    }
    let (mut width, mut height, mut fps, mut grey) = (None, None, None, false);
    for word in words {
        let (tag, value) = word.split_at_checked(1)?;
        match tag {
            "W" => width = value.parse().ok(),
            "H" => height = value.parse().ok(),
            "F" => {
                let (above, below) = value.split_once(':')?;
                let (above, below): (f64, f64) = (above.parse().ok()?, below.parse().ok()?);
                fps = Some(above / below).filter(|fps| fps.is_finite() && *fps > 0.0);
            }
            "C" => grey = value == "mono",
            _ => {}
        }
    }
    let side = |side: Option<usize>| side.filter(|side| (1..=MAX_SIDE as usize).contains(side));
    grey.then_some(Header {
        width: side(width)?,
        height: side(height)?,
        fps: fps?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_gives_size_and_rate_or_nothing() {
        let header = parse_header("YUV4MPEG2 W640 H480 F30000:1001 Ip A1:1 Cmono XCOLORRANGE=FULL")
            .expect("sound");
        assert_eq!((header.width, header.height), (640, 480));
        assert!((header.fps - 29.97).abs() < 0.001);
        for broken in [
            "",
            "YUV4MPEG2",
            "YUV4MPEG2 W640 H480 F0:0 Cmono",
            "YUV4MPEG2 W640 H480 F25:1 C420jpeg",
            "YUV4MPEG2 W0 H480 F25:1 Cmono",
            "YUV4MPEG2 W99999999999 H480 F25:1 Cmono",
            "YUV4MPEG2 W640 H480 F25 Cmono",
            "YUV4MPEG2 \u{fc} W640",
        ] {
            assert_eq!(parse_header(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_stream_out_of_step_is_an_error_not_a_picture() {
        let mut framing = Y4m {
            header: Arc::default(),
            path: "x".into(),
            most_pixels: 6,
        };
        let mut stream = &b"YUV4MPEG2 W3 H2 F25:1 Cmono\nFRAME\n123456FRAME Ip\nabcdefGRAME\n"[..];
        let mut picture = Vec::new();
        assert!(framing.read(&mut stream, &mut picture).expect("sound"));
        assert_eq!(picture, b"123456");
        picture.clear();
        assert!(framing.read(&mut stream, &mut picture).expect("sound"));
        assert_eq!(picture, b"abcdef");
        assert!(framing.read(&mut stream, &mut picture).is_err());

        let mut framing = Y4m {
            header: Arc::default(),
            path: "x".into(),
            most_pixels: 5,
        };
        let error = framing
            .read(&mut &b"YUV4MPEG2 W3 H2 F25:1 Cmono\n"[..], &mut picture)
            .expect_err("too large");
        assert!(error.to_string().contains("camera.width = 3"), "{error}");
    }
}
