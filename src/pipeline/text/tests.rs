//! The text thread with models that are broken on purpose.
#![cfg(feature = "ocr")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use super::*;
use crate::camera::KeeperState;
use crate::config::{Config, Plan};
use crate::geometry::{Point, Quad};
use crate::pipeline::governor::LADDER;
use crate::pipeline::slot::Slot;
use crate::snapshot::{Meters, Pulses};

/// How the models behave on the next lines.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Reads,
    Fails,
    Panics,
    Dawdles,
    Plods,
}

/// What one step of a line takes that plods.
const PLOD: Duration = Duration::from_millis(50);

struct Moody(Arc<Mutex<Mood>>);

impl TextEngine for Moody {
    fn line(
        &mut self,
        _: &Strip,
        _: &Wanted,
        pace: &mut Pace,
    ) -> Result<Option<Recognised>, String> {
        let mood = *self.0.lock().expect("held for a copy only");
        match mood {
            Mood::Reads => {}
            Mood::Fails => return Err("broken on purpose".into()),
            Mood::Panics => panic!("broken on purpose"),
            // Longer than `ocr.timeout-ms` below.
            Mood::Dawdles => std::thread::sleep(Duration::from_millis(15)),
            Mood::Plods => (0..4).for_each(|_| {
                std::thread::sleep(PLOD);
                pace.step();
            }),
        }
        Ok(Some(Recognised {
            text: "LOT 7A".into(),
            confidence: 0.9,
            upside_down: false,
        }))
    }

    fn area(
        &mut self,
        _: Luma<'_>,
        _: &Quad,
        _: &Wanted,
        _: &mut Pace,
    ) -> Result<Vec<Line>, String> {
        Err("not asked here".into())
    }
}

/// Models that always say the same, after two milliseconds.
struct Same(&'static str);

impl TextEngine for Same {
    fn line(&mut self, _: &Strip, _: &Wanted, _: &mut Pace) -> Result<Option<Recognised>, String> {
        std::thread::sleep(Duration::from_millis(2));
        Ok(Some(Recognised {
            text: self.0.into(),
            confidence: 0.8,
            upside_down: true,
        }))
    }

    fn area(
        &mut self,
        _: Luma<'_>,
        _: &Quad,
        _: &Wanted,
        _: &mut Pace,
    ) -> Result<Vec<Line>, String> {
        Err("not asked here".into())
    }
}

struct Bench {
    shared: Arc<Shared>,
    requests: SyncSender<TextRequest>,
    answers: Receiver<Input>,
    thread: JoinHandle<()>,
    loads: Arc<AtomicUsize>,
    mood: Arc<Mutex<Mood>>,
    pixels: Vec<u8>,
    next: u64,
}

const CONFIG: &str = "camera.source = \"belt\"\ncamera.belt.real-time = false\n\
                      ocr.timeout-ms = 10\nocr.queue = 4\n\
                      [[ocr.field]]\nname = \"lot\"\nbox = [0, 32, 29, 5]\n";

fn plan(text: &str) -> Arc<Plan> {
    let config = Config::parse(text).unwrap_or_else(|problems| panic!("{problems}"));
    Arc::new(config.plan().expect("sound"))
}

impl Bench {
    /// `loads`: what each loading of the models comes to; it goes on with the last.
    fn new(config: &str, loadable: Arc<AtomicBool>) -> Self {
        let plan = plan(config);
        let shared = Arc::new(Shared {
            slot: Slot::default(),
            stop: AtomicBool::new(false),
            broken: Arc::default(),
            generation: AtomicU64::new(0),
            plan: Mutex::new(Arc::clone(&plan)),
            hints: Mutex::new(Vec::new()),
            camera: Mutex::new(KeeperState::default()),
            results: Mutex::new(Vec::new()),
            canary: Mutex::new(None),
            meters: Arc::new(Meters::default()),
            control: crate::pipeline::governor::Control::default(),
        });
        let mood = Arc::new(Mutex::new(Mood::Reads));
        let loads = Arc::new(AtomicUsize::new(0));
        let load: TextLoader = {
            let (mood, loads) = (Arc::clone(&mood), Arc::clone(&loads));
            Arc::new(move |plan: &OcrPlan| {
                let dir = plan.models.as_deref().and_then(Path::file_name);
                match dir.and_then(|name| name.to_str()) {
                    Some("fallback") => return Ok(Box::new(Same("FROM THE FALLBACK"))),
                    Some("canary") => return Ok(Box::new(Same("LOT 7A"))),
                    _ => {}
                }
                loads.fetch_add(1, Ordering::Relaxed);
                match loadable.load(Ordering::Relaxed) {
                    true => Ok(Box::new(Moody(Arc::clone(&mood)))),
                    false => Err("no such models".into()),
                }
            })
        };
        let (to_items, answers) = sync_channel(16);
        let (requests, from_items) = sync_channel(plan.ocr.queue);
        let text = Text::new(Arc::clone(&shared), to_items, load);
        let pulse = Pulses::default().register("text");
        let thread = std::thread::spawn(move || text.run(&from_items, &pulse));
        Self {
            shared,
            requests,
            answers,
            thread,
            loads,
            mood,
            pixels: vec![200; 200 * 100],
            next: 0,
        }
    }

    fn feel(&self, mood: Mood) {
        *self.mood.lock().expect("held for a copy only") = mood;
    }

    /// What comes of a line taken at `second` of the frames' clock.
    fn read(&mut self, second: u64) -> Result<Vec<Line>, Skip> {
        let corner = |x, y| Point::new(x, y);
        let corners = Quad([
            corner(10.0, 10.0),
            corner(150.0, 10.0),
            corner(150.0, 40.0),
            corner(10.0, 40.0),
        ]);
        let luma = Luma::new(&self.pixels, 200, 100, 200).expect("fits");
        self.next += 1;
        let request = TextRequest {
            id: self.next,
            wanted: Arc::new(Wanted::default()),
            cut: Cut::Strip(Strip::cut(luma, &corners).expect("inside")),
            corners,
            mono_ns: second * 1_000_000_000,
        };
        self.requests.send(request).expect("the thread runs");
        match self.answers.recv().expect("the thread runs") {
            Input::Text(answer) => {
                assert_eq!(answer.id, self.next);
                assert!(matches!(answer.cut, Cut::Strip(_)), "the strip comes back");
                answer.lines
            }
            _ => panic!("it only answers"),
        }
    }

    fn end(self) {
        drop(self.requests);
        self.thread.join().expect("it ends when nobody asks");
    }
}

#[test]
fn five_failures_of_any_kind_open_the_breaker_and_a_probe_closes_it() {
    let mut bench = Bench::new(CONFIG, Arc::new(AtomicBool::new(true)));
    let lines = bench.read(1).expect("read");
    assert_eq!(lines[0].text, "LOT 7A");
    for (mood, second) in [
        (Mood::Fails, 2),
        (Mood::Panics, 3),
        (Mood::Dawdles, 4),
        (Mood::Panics, 5),
        (Mood::Fails, 6),
    ] {
        bench.feel(mood);
        assert_eq!(bench.read(second), Err(Skip::Failed), "{mood:?}");
    }
    let meters = Arc::clone(&bench.shared.meters);
    assert_eq!(meters.text.failures.get(), 5);
    assert_eq!(meters.text.breaker_open.get(), 1);
    assert!(meters.text.is_down());
    bench.feel(Mood::Reads);
    assert_eq!(
        bench.read(65),
        Err(Skip::BreakerOpen),
        "a minute is not over"
    );
    assert_eq!(meters.text.asked.get(), 6, "they are left alone");
    // The probe fails: another minute.
    bench.feel(Mood::Fails);
    assert_eq!(bench.read(66), Err(Skip::Failed));
    assert_eq!(bench.read(67), Err(Skip::BreakerOpen));
    bench.feel(Mood::Reads);
    assert!(bench.read(127).is_ok());
    assert!(bench.read(128).is_ok());
    assert!(!meters.text.is_down());
    // Once, and after each of two panics.
    assert_eq!(bench.loads.load(Ordering::Relaxed), 3);
    bench.end();
}

#[test]
fn four_failures_and_a_success_do_not() {
    let mut bench = Bench::new(CONFIG, Arc::new(AtomicBool::new(true)));
    for round in 0..3 {
        bench.feel(Mood::Fails);
        for _ in 0..4 {
            assert_eq!(bench.read(round), Err(Skip::Failed));
        }
        bench.feel(Mood::Reads);
        assert!(bench.read(round).is_ok());
    }
    bench.end();
}

#[test]
fn text_that_is_slowed_down_has_a_quarter_of_what_is_granted() {
    assert_eq!([None, Some(4.0), Some(0.5)].map(rest), [3, 3, 7]);
    assert_eq!([Some(0.0), Some(f64::MAX)].map(rest), [39, 3]);
}

#[test]
fn a_line_rests_where_text_is_slowed_down_and_is_not_late_for_it() {
    // Longer than the work, shorter than work and rests.
    let config = CONFIG.replace("timeout-ms = 10", "timeout-ms = 600");
    let mut bench = Bench::new(&config, Arc::new(AtomicBool::new(true)));
    bench.feel(Mood::Plods);
    let slow = LADDER.iter().position(|at| at.text == TextRate::Slow);
    bench
        .shared
        .control
        .set(slow.expect("a level") as u8, false);
    let started = Instant::now();
    assert!(bench.read(1).is_ok());
    assert!(started.elapsed() >= 4 * PLOD * (1 + rest(None)));
    bench.end();
}

#[test]
fn models_that_cannot_be_loaded_are_told_and_a_reload_tries_again() {
    let loadable = Arc::new(AtomicBool::new(false));
    let mut bench = Bench::new(CONFIG, Arc::clone(&loadable));
    assert_eq!(bench.read(1), Err(Skip::NoModels));
    let meters = Arc::clone(&bench.shared.meters);
    assert!(meters.text.is_down() && meters.text.loaded.get() == 0);
    loadable.store(true, Ordering::Relaxed);
    bench.shared.generation.fetch_add(1, Ordering::Release);
    // The thread may answer once more before it looks.
    let read = (0..3).map(|_| bench.read(2)).find(Result::is_ok);
    assert!(read.is_some());
    assert!(!meters.text.is_down() && meters.text.loaded.get() == 1);
    bench.end();
}

#[test]
fn models_replaced_on_disk_are_taken_up_while_the_old_ones_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("models.toml");
    std::fs::write(&file, "one").expect("writable");
    let config = format!("ocr.models = {:?}\n{CONFIG}", folder.path());
    let loadable = Arc::new(AtomicBool::new(true));
    let mut bench = Bench::new(&config, Arc::clone(&loadable));
    assert!(bench.read(1).is_ok());
    // A reload without a change on disk loads nothing.
    bench.shared.generation.fetch_add(1, Ordering::Release);
    for _ in 0..3 {
        assert!(bench.read(2).is_ok());
    }
    assert_eq!(bench.loads.load(Ordering::Relaxed), 1);
    std::fs::write(&file, "another").expect("writable");
    bench.shared.generation.fetch_add(1, Ordering::Release);
    while bench.loads.load(Ordering::Relaxed) < 2 {
        assert!(bench.read(3).is_ok());
    }
    // New ones that are no good leave the old ones in force.
    loadable.store(false, Ordering::Relaxed);
    std::fs::write(&file, "a bad one").expect("writable");
    bench.shared.generation.fetch_add(1, Ordering::Release);
    while bench.loads.load(Ordering::Relaxed) < 3 {
        assert!(bench.read(4).is_ok());
    }
    for _ in 0..20 {
        assert!(bench.read(5).is_ok());
    }
    bench.end();
}

#[test]
fn where_no_text_is_wanted_nothing_is_loaded() {
    let config = "camera.source = \"belt\"\ncamera.belt.real-time = false\n";
    let mut bench = Bench::new(config, Arc::new(AtomicBool::new(true)));
    assert_eq!(bench.read(1), Err(Skip::NoModels));
    assert_eq!(bench.loads.load(Ordering::Relaxed), 0);
    assert!(!bench.shared.meters.text.is_down());
    bench.end();
}

#[test]
fn the_fallback_reads_while_the_breaker_is_open_and_only_then() {
    let config = format!("ocr.fallback-models = \"/models/fallback\"\n{CONFIG}");
    let mut bench = Bench::new(&config, Arc::new(AtomicBool::new(true)));
    bench.feel(Mood::Fails);
    for _ in 0..5 {
        assert_eq!(bench.read(1), Err(Skip::Failed));
    }
    // It is loaded beside the work: until then there is nothing to read with.
    let mut lines = bench.read(2);
    while lines == Err(Skip::BreakerOpen) {
        std::thread::yield_now();
        lines = bench.read(2);
    }
    let lines = lines.expect("read");
    assert_eq!(lines[0].text, "FROM THE FALLBACK");
    // It read the strip upside down: the corners tell from where it is read.
    assert_eq!(lines[0].corners.0[0], Point::new(150.0, 40.0));
    bench.feel(Mood::Reads);
    assert_eq!(bench.read(62).expect("the probe")[0].text, "LOT 7A");
    bench.end();
}

#[test]
fn a_canary_reads_a_share_in_the_shadow_until_it_is_promoted_or_dropped() {
    let config =
        format!("ocr.canary-models = \"/models/canary\"\nocr.canary-share = 0.5\n{CONFIG}");
    let mut bench = Bench::new(&config, Arc::new(AtomicBool::new(true)));
    let meters = Arc::clone(&bench.shared.meters);
    while meters.text.canary_lines.get() < 3 {
        assert_eq!(
            bench.read(1).expect("read")[0].confidence,
            0.9,
            "the stable ones"
        );
    }
    assert_eq!(meters.text.canary_alike.get(), 3, "it says the same");
    let before = meters.text.canary_lines.get();
    for _ in 0..10 {
        bench.read(1).expect("read");
    }
    assert_eq!(
        meters.text.canary_lines.get(),
        before + 5,
        "half of the lines"
    );
    // It takes at least so long for each.
    let took = meters.text.canary_us.get();
    assert!(took >= 2000 * (before + 5), "{took} us");

    let order = |bench: &mut Bench, order: CanaryOrder| {
        let (reply, told) = sync_channel(1);
        *lock(&bench.shared.canary) = Some((order, reply));
        bench.read(2).expect("read");
        bench.read(2).expect("read");
        told.recv().expect("a reply")
    };
    let reply = order(&mut bench, CanaryOrder::Promote);
    assert!(
        reply.ok && reply.detail.contains("lines were told alike"),
        "{reply:?}"
    );
    assert_eq!(
        bench.read(3).expect("read")[0].confidence,
        0.8,
        "the canary reads"
    );
    assert_eq!(meters.text.canary_lines.get(), 0, "no canary any more");
    assert!(
        !order(&mut bench, CanaryOrder::Drop).ok,
        "there is none any more"
    );
    bench.end();
}
