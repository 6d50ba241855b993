//! A belt whose frames go into the guest's camera. It knows what passes on it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use beltscan::camera::belt::{Belt, BeltCamera, BeltScript, ScriptedItem, Truth};
use beltscan::camera::{Grab, Source as _};
use beltscan::config::{BeltSourcePlan, CameraPlan, Focus, SourcePlan};
use beltscan::frame::Pool;

use crate::wait_until;

/// Size of the frames. Small: the machine is emulated.
pub const WIDTH: u32 = 320;
pub const HEIGHT: u32 = 240;
/// Frames a second that are sent at most. An item is in view for some 25 of them,
/// and two must be read: a machine that reads every tenth is fast enough.
const RATE: f32 = 8.0;
/// A frame waits for so many times what the guest took to pass on the one before: it
/// has to look at it as well.
const EASE: u32 = 4;
/// The longest between two frames that are passed on in no time.
const SLOWEST: Duration = Duration::from_millis(500);
/// Rows of two items, one above the other, of one session of the camera.
const ROWS: usize = 400;

/// How frames are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Grey,
    Yuyv,
    Mjpeg,
}

impl Format {
    /// The driver's name for it.
    fn fourcc(self) -> &'static str {
        match self {
            Format::Grey => "GREY",
            Format::Yuyv => "YUYV",
            Format::Mjpeg => "MJPG",
        }
    }

    /// The reader's name for it.
    pub fn key(self) -> &'static str {
        match self {
            Format::Grey => "grey",
            Format::Yuyv => "yuyv",
            Format::Mjpeg => "mjpeg",
        }
    }

    fn bytes(self) -> usize {
        let pixels = (WIDTH * HEIGHT) as usize;
        match self {
            Format::Grey => pixels,
            Format::Yuyv => 2 * pixels,
            // Padded behind the picture, as cameras with fixed packets do.
            Format::Mjpeg => 48 * 1024,
        }
    }

    fn write(self, luma: &[u8], to: &mut Vec<u8>) {
        to.clear();
        match self {
            Format::Grey => to.extend_from_slice(luma),
            Format::Yuyv => to.extend(luma.iter().flat_map(|&y| [y, 128])),
            Format::Mjpeg => image::codecs::jpeg::JpegEncoder::new_with_quality(&mut *to, 85)
                .encode(luma, WIDTH, HEIGHT, image::ExtendedColorType::L8)
                .expect("a frame is a picture"),
        }
        assert!(to.len() <= self.bytes(), "{} bytes", to.len());
        to.resize(self.bytes(), 0);
    }
}

/// A belt that runs until it is stopped.
pub struct Running {
    truth: Truth,
    /// Stamp of the newest frame on the belt's clock.
    now: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The text of item `item` of session `session`.
fn text(session: u32, item: usize) -> String {
    format!("VM-{session:02}-{item:04}")
}

/// Whether a belt of any session has such a text.
pub fn has_text(text: &str) -> bool {
    let Some((session, item)) = text.strip_prefix("VM-").and_then(|t| t.split_once('-')) else {
        return false;
    };
    session.len() == 2
        && session.parse::<u32>().is_ok()
        && item.len() == 4
        && item.parse::<usize>().is_ok_and(|item| item < 2 * ROWS)
}

fn camera(session: u32) -> BeltCamera {
    let plan = BeltSourcePlan {
        real_time: false,
        seed: u64::from(session),
        // 7.5 mm or 15 pixels a frame; the picture is 160 mm wide.
        speed_m_s: 0.0075 * RATE,
        px_per_mm: 2.0,
        noise: 2.0,
        glare: 0.0,
        readout_ms: 0.0,
        ..BeltSourcePlan::default()
    };
    let camera = CameraPlan {
        source: SourcePlan::Belt(plan.clone()),
        width: WIDTH,
        height: HEIGHT,
        fps: RATE,
        exposure_us: Some(500),
        exposure_bracket: None,
        gain: None,
        focus: Focus::Leave,
        timeout: Duration::from_secs(2),
    };
    let mut script = BeltScript::new();
    for row in 0..ROWS {
        let item = |nth: usize| ScriptedItem::bare(text(session, 2 * row + nth), 40.0, 1.2);
        // Farther apart than the picture is wide: between two rows it is empty.
        script = script
            .item(item(0).pitch_mm(220.0).across(0.27))
            .item(item(1).pitch_mm(0.0).across(0.73));
    }
    let belt = Belt::new(&camera, &plan, script).expect("a belt");
    belt.open().expect("its camera")
}

/// Gives a frame to the guest and waits until it has passed it on: frames that are
/// under way together come in bursts, and no camera has those.
fn pass_on(
    port: u16,
    guest: &mut Option<TcpStream>,
    head: &str,
    frame: &[u8],
) -> std::io::Result<()> {
    let stream = match guest {
        Some(stream) => stream,
        None => {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            let patience = Some(Duration::from_secs(60));
            stream.set_read_timeout(patience)?;
            stream.set_write_timeout(patience)?;
            stream.write_all(head.as_bytes())?;
            guest.insert(stream)
        }
    };
    stream.write_all(frame)?;
    stream.read_exact(&mut [0])
}

impl Running {
    /// Starts a belt of its own texts, and waits until its first frame is under way.
    pub fn start(port: u16, session: u32, format: Format) -> Running {
        let mut camera = camera(session);
        let truth = camera.truth();
        let (now, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (position, told) = (Arc::clone(&now), Arc::clone(&stop));
        let seen = truth.clone();
        let thread = std::thread::spawn(move || {
            let head = format!("{} {WIDTH} {HEIGHT} {}\n", format.fourcc(), format.bytes());
            let pool = Pool::new(1, (WIDTH * HEIGHT) as usize);
            let mut bytes = Vec::new();
            let mut guest = None;
            let period = Duration::from_secs_f32(1.0 / RATE);
            let mut pace = period;
            loop {
                let grab = camera.grab(&pool, Duration::from_secs(1)).expect("a frame");
                let Grab::Frame(frame) = grab else {
                    panic!("the belt has run out of items")
                };
                let at = frame.stamp.mono_ns;
                format.write(&frame, &mut bytes);
                drop(frame);
                let sent = loop {
                    let sent = Instant::now();
                    if pass_on(port, &mut guest, &head, &bytes).is_ok() {
                        break sent;
                    }
                    // A machine whose power was cut takes no more; one that could not
                    // set the format yet, or has lost the connection, is tried again.
                    guest = None;
                    if told.load(Ordering::Acquire) {
                        return;
                    }
                    std::thread::sleep(period);
                };
                position.store(at, Ordering::Release);
                if told.load(Ordering::Acquire) && is_empty(&seen, at) {
                    return;
                }
                // Slower at once where the guest is short of time, faster by and by: a
                // belt does not jerk.
                let wanted = (sent.elapsed() * EASE).clamp(period, SLOWEST);
                pace = wanted.max(pace - pace / 16).max(period);
                std::thread::sleep((sent + pace).saturating_duration_since(Instant::now()));
            }
        });
        Running {
            truth,
            now,
            stop,
            thread: Some(thread),
        }
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    /// Waits until so many more rows of items have come into view and left again,
    /// and gives their texts.
    pub fn pass(&self, rows: usize) -> Vec<String> {
        let began = self.now();
        let coming = self
            .truth
            .items()
            .filter(|item| item.entered_ns.is_some_and(|entered| entered > began))
            // An item that is in view by half now is not counted.
            .skip(2)
            .take(2 * rows);
        let items: Vec<_> = coming.collect();
        assert_eq!(items.len(), 2 * rows, "the belt has run out of items");
        let last = items.iter().filter_map(|item| item.left_ns).max();
        wait_until("the items have passed", || Some(self.now()) > last);
        items.into_iter().flat_map(|item| item.texts).collect()
    }

    /// Stops the belt while nothing is in view.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Release);
        let thread = self.thread.take().expect("it has not been stopped");
        thread.join().expect("the belt ran to its end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where a stage has failed.
        self.stop.store(true, Ordering::Release);
    }
}

/// Whether no part of any item is in view.
fn is_empty(truth: &Truth, at: u64) -> bool {
    (0..truth.count().unwrap_or(0)).all(|item| {
        truth.corners(item, 0, at).is_none_or(|quad| {
            let (left, _, right, _) = quad.bounds();
            // With its quiet zone and the paper around it.
            right < -16.0 || left > WIDTH as f32 + 16.0
        })
    })
}
