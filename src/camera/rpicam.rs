//! Cameras on a Raspberry Pi's CSI socket, through `rpicam-vid` as a child: no
//! link to libcamera's changing interface, and a crash in it is a restart.
//!
//! It writes YUV 4:2:0 whose rows may be padded (to 64 bytes on the Pi's image
//! processors). How much is not in the stream, but at `--verbose` it says the
//! size of each picture before it writes it. Its metadata comes as text through
//! a second pipe, one record after each picture, which it opens as its standard
//! input: of the two formats only `txt` ends a record before the next begins.
//! `--flush` keeps the end of a picture from waiting for the next one.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::child::{Listener, no_thread};
use super::feed::{Feed, Framing, Next, read_raw};
use super::plane::{Packing, copy_luma};
use super::slot::{Keep, Shot};
use super::{CameraError, CameraErrorKind, Grab, Source};
use crate::clock;
use crate::config::{CameraPlan, Focus};
use crate::frame::{Frame, Pool, Stamp};

/// Padding of rows if the program does not tell a picture's size.
const USUAL_PADDING: usize = 64;

/// How long the first picture is held for the program's word on its size.
const SIZE_PATIENCE: Duration = Duration::from_secs(1);

/// How long a picture is held for its metadata.
const RECORD_PATIENCE: Duration = Duration::from_millis(20);

/// Records that are kept.
const RECORDS: usize = 64;

/// A stamp further than this from now is not on our clock.
const MOST_AGE_NS: u64 = 10_000_000_000;

/// A CSI camera.
pub(super) struct Rpicam {
    feed: Feed,
    layout: Arc<Layout>,
    records: Arc<Records>,
    fps: f32,
    exposure_us: Option<u32>,
    /// Count of the last picture in the stream, and its stamp.
    last: Option<(u64, Stamp)>,
}

impl Rpicam {
    /// Starts the program.
    pub(super) fn open(plan: &CameraPlan, command: &[String]) -> Result<Self, CameraError> {
        match Self::start(plan, command) {
            // Its name before 2023.
            Err(error) if error.kind == CameraErrorKind::Absent && command == ["rpicam-vid"] => {
                Self::start(plan, &["libcamera-vid".into()]).map_err(|_| CameraError {
                    cure: "install it (apt install rpicam-apps), or give its path in \
                           camera.command; a camera on USB wants source = \"v4l2\""
                        .into(),
                    ..error
                })
            }
            result => result,
        }
    }

    fn start(plan: &CameraPlan, command: &[String]) -> Result<Self, CameraError> {
        let (reader, writer) = io::pipe().map_err(|error| no_thread(&error))?;
        let layout = Arc::new(Layout::new(plan.width as usize, plan.height as usize));
        let framing = Yuv420(Arc::clone(&layout));
        let feed = Feed::start(
            &[command, &arguments(plan)].concat(),
            Stdio::from(writer),
            Some(size_listener(Arc::clone(&layout))),
            Box::new(framing),
            Keep::Newest,
            plan.timeout,
        )?;
        let records = Arc::new(Records::default());
        let theirs = Arc::clone(&records);
        thread::Builder::new()
            .name("camera-metadata".into())
            .spawn(move || theirs.follow(reader))
            .map_err(|error| no_thread(&error))?;
        Ok(Self {
            feed,
            layout,
            records,
            fps: plan.fps,
            exposure_us: plan.exposure_us,
            last: None,
        })
    }

    fn convert(&self, shot: &Shot, pool: &Pool) -> Option<Frame> {
        let mut frame = pool.take(self.layout.width, self.layout.height)?;
        let stride = self.layout.stride()?;
        copy_luma(&shot.bytes, stride, Packing::Plane, &mut frame).then_some(frame)
    }

    /// When the picture was taken, from its metadata or the nearest before it.
    fn stamp(&mut self, shot: &Shot) -> Stamp {
        let interval_ns = (1e9 / f64::from(self.fps)) as u64;
        let known = self.records.wait_for(shot.sequence);
        let interval_ns = known
            .and_then(|(_, record)| record.interval_ns)
            .unwrap_or(interval_ns);
        let exposure_us = known
            .and_then(|(_, record)| record.exposure_us)
            .or(self.exposure_us);
        let mono_ns = known
            .and_then(|(count, record)| {
                let since = shot.sequence.saturating_sub(count);
                // The sensor is stamped when its first row is read out, which
                // is when that row's exposure ends.
                let half = u64::from(exposure_us.unwrap_or(0)) * 500;
                let taken = record.taken_ns?.saturating_sub(half);
                taken.checked_add(since.checked_mul(interval_ns)?)
            })
            .filter(|taken| taken.abs_diff(shot.stamp_ns) < MOST_AGE_NS)
            .unwrap_or(shot.stamp_ns);
        let sequence = match self.last {
            None => 0,
            Some((count, last)) => {
                // The stream has no gaps where the sensor or the program lost
                // pictures, but time has.
                let elapsed = mono_ns.saturating_sub(last.mono_ns) as f64;
                let steps = (elapsed / interval_ns.max(1) as f64).round() as u64;
                last.sequence + steps.max(shot.sequence - count)
            }
        };
        let stamp = Stamp {
            sequence,
            mono_ns,
            wall_ns: clock::wall_at(mono_ns),
            exposure_us,
        };
        self.last = Some((shot.sequence, stamp));
        stamp
    }
}

impl Source for Rpicam {
    fn grab(&mut self, pool: &Pool, patience: Duration) -> Result<Grab, CameraError> {
        let shot = match self.feed.next(patience)? {
            Next::Shot(shot) => shot,
            Next::Idle => return Ok(Grab::Idle),
            Next::End => {
                return Err(CameraError {
                    kind: CameraErrorKind::Lost,
                    message: format!("{} has ended by itself", self.feed.name()),
                    cure: "it is started again".into(),
                });
            }
        };
        let stamp = self.stamp(&shot);
        let frame = self.convert(&shot, pool);
        self.feed.give_back(shot);
        Ok(match frame {
            Some(mut frame) => {
                frame.stamp = stamp;
                Grab::Frame(frame)
            }
            None => Grab::Idle,
        })
    }

    fn describe(&self) -> String {
        let exposure = match self.exposure_us {
            Some(us) => format!("{us} µs"),
            None => "automatic".into(),
        };
        format!(
            "rpicam {} {}x{} at {} fps; exposure {exposure}",
            self.feed.name(),
            self.layout.width,
            self.layout.height,
            self.fps
        )
    }
}

/// The options of `rpicam-vid`.
fn arguments(plan: &CameraPlan) -> Vec<String> {
    // `--verbose` and `--flush` are followed by an option, since they may take
    // a value.
    let mut arguments: Vec<String> = ["--timeout", "0", "--nopreview", "--verbose", "--flush"]
        .map(String::from)
        .into();
    let mut option = |name: &str, value: String| {
        arguments.push(format!("--{name}"));
        arguments.push(value);
    };
    option("codec", "yuv420".into());
    option("width", plan.width.to_string());
    option("height", plan.height.to_string());
    option("framerate", plan.fps.to_string());
    if let Some(exposure_us) = plan.exposure_us {
        option("shutter", exposure_us.to_string());
    }
    if let Some(gain) = plan.gain {
        option("gain", gain.to_string());
    }
    match plan.focus {
        Focus::Leave => option("autofocus-mode", "manual".into()),
        Focus::Auto => option("autofocus-mode", "continuous".into()),
        Focus::At(dioptres) => {
            option("autofocus-mode", "manual".into());
            option("lens-position", dioptres.to_string());
        }
    }
    // Smoothing between frames or pixels would blur modules.
    option("denoise", "cdn_off".into());
    option("metadata", "/dev/stdin".into());
    option("metadata-format", "txt".into());
    option("output", "-".into());
    arguments
}

/// How a picture lies in the stream.
struct Layout {
    width: usize,
    height: usize,
    /// Bytes of a picture as the program told them.
    told: Mutex<Option<usize>>,
    bell: Condvar,
    /// Distance between rows, once it is settled.
    stride: OnceLock<usize>,
}

impl Layout {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            told: Mutex::new(None),
            bell: Condvar::new(),
            stride: OnceLock::new(),
        }
    }

    fn stride(&self) -> Option<usize> {
        self.stride.get().copied()
    }

    fn tell(&self, bytes: usize) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told = Some(bytes);
        self.bell.notify_all();
    }

    /// The distance between rows, waiting for the program's word if need be.
    fn settle(&self) -> io::Result<usize> {
        if let Some(stride) = self.stride() {
            return Ok(stride);
        }
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = *self
            .bell
            .wait_timeout_while(told, SIZE_PATIENCE, |told| told.is_none())
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        let stride = match told {
            None => self.width.next_multiple_of(USUAL_PADDING),
            Some(bytes) => self.stride_of(bytes).ok_or_else(|| {
                io::Error::other(format!(
                    "it writes {bytes} bytes a picture, which is no YUV 4:2:0 of {}x{}; choose a \
                     size that rpicam-hello --list-cameras shows",
                    self.width, self.height
                ))
            })?,
        };
        Ok(*self.stride.get_or_init(|| stride))
    }

    /// Both colour planes have half the rows at half the distance.
    fn stride_of(&self, bytes: usize) -> Option<usize> {
        let rows = self.height + self.height.div_ceil(2);
        let stride = bytes / rows;
        let fits =
            bytes.is_multiple_of(rows) && (self.width..=2 * self.width + 256).contains(&stride);
        fits.then_some(stride)
    }
}

/// Looks for the size of a picture in what the program says.
fn size_listener(layout: Arc<Layout>) -> Listener {
    Box::new(move |line| {
        // As in `FileOutput: output buffer 0x7f8e0000 size 2402304`.
        let size = line
            .split_once("output buffer ")
            .and_then(|(_, rest)| rest.split_once(" size "));
        if let Some(bytes) = size.and_then(|(_, size)| size.trim().parse().ok()) {
            layout.tell(bytes);
        }
    })
}

struct Yuv420(Arc<Layout>);

impl Framing for Yuv420 {
    fn read(&mut self, from: &mut dyn BufRead, picture: &mut Vec<u8>) -> io::Result<bool> {
        if from.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let stride = self.0.settle()?;
        let rows = self.0.height + self.0.height.div_ceil(2);
        read_raw(from, stride * rows, picture)
    }
}

/// What the program says of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Record {
    /// `SensorTimestamp` in nanoseconds since the machine was started.
    taken_ns: Option<u64>,
    /// `ExposureTime`.
    exposure_us: Option<u32>,
    /// `FrameDuration`.
    interval_ns: Option<u64>,
}

/// The last records, in the order of the pictures.
#[derive(Default)]
struct Records {
    list: Mutex<Listed>,
    bell: Condvar,
}

#[derive(Default)]
struct Listed {
    last: VecDeque<Record>,
    /// Records so far.
    count: u64,
    ended: bool,
}

impl Records {
    fn lock(&self) -> MutexGuard<'_, Listed> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, reader: PipeReader) {
        let mut reader = BufReader::new(reader);
        let (mut record, mut line) = (Record::default(), Vec::new());
        loop {
            line.clear();
            match reader.by_ref().take(4096).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            match text.trim() {
                "" => self.push(std::mem::take(&mut record)),
                text => record.take_in(text),
            }
        }
        self.lock().ended = true;
        self.bell.notify_all();
    }

    fn push(&self, record: Record) {
        let mut list = self.lock();
        if list.last.len() == RECORDS {
            list.last.pop_front();
        }
        list.last.push_back(record);
        list.count += 1;
        self.bell.notify_all();
    }

    /// The record of picture `index`, or the latest before it if it does not
    /// come soon; with its own index.
    fn wait_for(&self, index: u64) -> Option<(u64, Record)> {
        let deadline = Instant::now() + RECORD_PATIENCE;
        let mut list = self.lock();
        while list.count <= index && !list.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            list = self
                .bell
                .wait_timeout(list, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let latest = list.count.checked_sub(1)?;
        let index = index.min(latest);
        let back = usize::try_from(latest - index).ok()?;
        let at = list.last.len().checked_sub(1 + back)?;
        Some((index, list.last[at]))
    }
}

impl Record {
    fn take_in(&mut self, line: &str) {
        let Some((key, value)) = line.split_once('=') else {
            return;
        };
        match key {
            "SensorTimestamp" => self.taken_ns = value.parse().ok(),
            "ExposureTime" => self.exposure_us = value.parse().ok(),
            "FrameDuration" => {
                let us: Option<u64> = value.parse().ok();
                self.interval_ns = us
                    .filter(|us| (1..=60_000_000).contains(us))
                    .map(|us| us * 1000);
            }
            _ => {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::camera::testing::{fault, next, plan};
    use crate::camera::{Keeper, open};
    use crate::config::SourcePlan;
    use std::os::unix::fs::PermissionsExt;

    /// A stand-in that understands the options, writes padded pictures of
    /// letters, tells their size and gives metadata. `$script` runs per picture
    /// `i` and may `exit`.
    fn program(folder: &std::path::Path, script: &str) -> Vec<String> {
        let text = format!(
            r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --width) w=$2; shift;; --height) h=$2; shift;; --metadata) meta=$2; shift;;
    --shutter) shutter=$2; shift;; --verbose) loud=1;; --output) out=$2; shift;;
    --metadata-format) form=$2; shift;; --codec) codec=$2; shift;; --flush) flush=1;;
  esac
  shift
done
[ "$out $form $codec $flush" = "- txt yuv420 1" ] || {{ echo "ERROR: *** wrong options ***" >&2; exit 255; }}
exec 3>"$meta"
echo "[0:12:01.1] [812]  INFO Camera camera_manager.cpp:325 libcamera v0.3.0" >&2
stride=$(( (w + 63) / 64 * 64 ))
size=$(( stride * h * 3 / 2 ))
read up rest < /proc/uptime
base=$(( ${{up%.*}} * 1000 ))
pad=$(printf "%$((stride - w))s" | tr ' ' '#')
colour=$(printf "%$((stride * h / 2))s" | tr ' ' '.')
luma() {{ # of letter $1, $2 rows
  row=$(printf "%${{w}}s" | tr ' ' "$1")$pad
  n=0; while [ $n -lt $2 ]; do printf %s "$row"; n=$((n + 1)); done
}}
told() {{ [ -n "$loud" ] && echo "FileOutput: output buffer 0x7f9c000000 size $size" >&2; }}
say() {{ # taken at $1 ms
  printf 'SensorTimestamp=%d000000\nExposureTime=%d\nColourGains=[ 1.5, 2.0 ]\nFrameDuration=10000\n\n' \
    $(( base + $1 )) $(( shutter - 3 )) >&3
}}
i=0
while :; do
{script}
i=$((i + 1))
done
"#
        );
        let path = folder.join("rpicam-vid");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
        vec![path.display().to_string()]
    }

    fn planned(command: Vec<String>, width: u32, height: u32) -> CameraPlan {
        CameraPlan {
            exposure_us: Some(500),
            timeout: Duration::from_secs(5),
            ..plan(SourcePlan::Rpicam { command }, width, height)
        }
    }

    #[test]
    fn padding_goes_and_stamps_come_from_the_sensor() {
        let folder = tempfile::tempdir().expect("a folder");
        // Two pictures, then one after a loss of three, then silence.
        let command = program(
            folder.path(),
            r#"told; case $i in
                0) luma A $h; printf %s "$colour"; say 0;;
                1) luma B $h; printf %s "$colour"; say 10;;
                2) luma C $h; printf %s "$colour"; say 50;;
                *) exec sleep 1000;; esac"#,
        );
        let pool = Pool::new(1, 100 * 6);
        let mut source = open(&planned(command, 100, 6)).expect("starts");
        let (mut last, mut first) = (b'@', None);
        while last != b'C' {
            let frame = next(&mut *source, &pool).expect("alive").expect("no end");
            let letter = frame[0];
            assert!(letter > last, "{letter} after {last}");
            assert_eq!(frame[..], [letter; 600], "no padding");
            assert_eq!(frame.stamp.exposure_us, Some(497));
            let taken_ms = [0, 10, 50][usize::from(letter - b'A')];
            let base = frame.stamp.mono_ns + 497 * 500 - taken_ms * 1_000_000;
            assert_eq!(base % 1_000_000_000, 0);
            // The count follows the sensor's time.
            let (base_was, count_was) = *first.get_or_insert((taken_ms, frame.stamp.sequence));
            assert_eq!(frame.stamp.sequence - count_was, (taken_ms - base_was) / 10);
            last = letter;
        }
    }

    #[test]
    fn without_metadata_pictures_still_come() {
        let folder = tempfile::tempdir().expect("a folder");
        let command = program(
            folder.path(),
            r#"loud=; luma A $h; printf %s "$colour"; sleep 0.02"#,
        );
        let pool = Pool::new(1, 128 * 4);
        let mut source = open(&planned(command, 128, 4)).expect("starts");
        let frame = next(&mut *source, &pool).expect("alive").expect("no end");
        assert_eq!(frame[..], [b'A'; 512]);
        assert_eq!(frame.stamp.exposure_us, Some(500), "as asked for");
        assert!(clock::mono_ns() - frame.stamp.mono_ns < 5_000_000_000);
    }

    #[test]
    fn a_death_in_the_middle_of_a_frame_is_survived() {
        let folder = tempfile::tempdir().expect("a folder");
        let command = program(
            folder.path(),
            r#"told; [ $i = 1 ] && { luma B 3; echo "ERROR: *** camera timeout ***" >&2; exit 255; }
               luma A $h; printf %s "$colour"; say $((i * 10))"#,
        );
        let plan = planned(command, 64, 6);
        let pool = Pool::new(1, 64 * 6);
        let error = fault(&mut *open(&plan).expect("starts"), &pool);
        assert_eq!(error.kind, CameraErrorKind::Lost);
        assert!(error.message.contains("(192 of 576 bytes)"), "{error}");
        assert!(error.message.contains("*** camera timeout ***"), "{error}");

        let mut keeper = Keeper::new(plan);
        let mut frames = 0;
        while frames < 3 {
            if let Grab::Frame(frame) = keeper.grab(&pool, Duration::from_millis(50)) {
                assert_eq!(frame[..], [b'A'; 384]);
                assert_eq!(frame.stamp.sequence, frames);
                frames += 1;
            }
        }
        assert_eq!(keeper.state().reopened, 2);
    }

    #[test]
    fn another_size_than_asked_for_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let command = program(folder.path(), "size=1000; told; luma A $h; exec sleep 1000");
        let pool = Pool::new(1, 64 * 6);
        let error = fault(&mut *open(&planned(command, 64, 6)).expect("starts"), &pool);
        assert!(error.message.contains("1000 bytes a picture"), "{error}");
        assert!(error.message.contains("--list-cameras"), "{error}");
    }

    #[test]
    fn the_program_that_is_not_there_is_named() {
        let command = vec!["/no/such/rpicam-vid".into()];
        let error = open(&planned(command, 64, 6))
            .map(|_| ())
            .expect_err("absent");
        assert_eq!(error.kind, CameraErrorKind::Absent);
        assert!(error.message.contains("/no/such/rpicam-vid"), "{error}");
        if let Err(error) = open(&planned(vec!["rpicam-vid".into()], 64, 6)) {
            assert!(error.cure.contains("apt install rpicam-apps"), "{error}");
        }
    }

    #[test]
    fn exposure_gain_and_focus_become_its_options() {
        let plan = CameraPlan {
            gain: Some(2.5),
            focus: Focus::At(4.0),
            fps: 59.94,
            ..planned(vec![], 1456, 1088)
        };
        let all = arguments(&plan).join(" ");
        for part in [
            "--width 1456 --height 1088 --framerate 59.94 --shutter 500 --gain 2.5 ",
            "--autofocus-mode manual --lens-position 4 ",
            "--metadata /dev/stdin --metadata-format txt --output -",
        ] {
            assert!(all.contains(part), "{part} in {all}");
        }
        let plan = CameraPlan {
            exposure_us: None,
            focus: Focus::Auto,
            ..plan
        };
        let all = arguments(&plan).join(" ");
        assert!(!all.contains("shutter") && all.contains("--autofocus-mode continuous"));
    }
}
