use super::*;
use crate::config::{Focus, SourcePlan};
use crate::frame::Frame;
use crate::geometry::Homography;

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn camera_plan() -> CameraPlan {
    CameraPlan {
        source: SourcePlan::Belt(BeltSourcePlan::default()),
        width: 1280,
        height: 800,
        fps: 60.0,
        exposure_us: None,
        exposure_bracket: None,
        gain: None,
        focus: Focus::Leave,
        timeout: Duration::from_secs(2),
    }
}

/// A belt in simulated time without noise, highlights, or lens faults.
fn clean() -> BeltSourcePlan {
    BeltSourcePlan {
        real_time: false,
        noise: 0.0,
        glare: 0.0,
        readout_ms: 0.0,
        ..BeltSourcePlan::default()
    }
}

const SHARP: Look = Look {
    paper: 214,
    ink: 34,
    defocus_px: 0.0,
    vignetting: 0.0,
};

fn belt(plan: &BeltSourcePlan, script: BeltScript) -> Belt {
    Belt::new(&camera_plan(), plan, script).expect("a belt")
}

fn pool() -> Pool {
    Pool::new(1, 1280 * 800)
}

fn next(camera: &mut BeltCamera, pool: &Pool) -> Option<Frame> {
    match camera.grab(pool, PATIENCE).expect("no outage") {
        Grab::Frame(frame) => Some(frame),
        Grab::Idle => panic!("a simulated belt does not idle"),
        Grab::End => None,
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_frame_depends_on_seed_plan_and_number_alone() {
    let plan = BeltSourcePlan {
        real_time: false,
        ..BeltSourcePlan::default()
    };
    let braking = || BeltScript::new().run(ms(300)).brake(ms(500));
    let scene = |plan: &BeltSourcePlan| Arc::clone(&belt(plan, braking()).scene);
    let mut in_order = Renderer::new(scene(&plan));
    let mut pictures: Vec<Vec<u8>> = Vec::new();
    for number in 0..40 {
        let mut picture = vec![0; 1280 * 800];
        in_order.draw(number, &mut picture);
        pictures.push(picture);
    }
    let mut backwards = Renderer::new(scene(&plan));
    let mut picture = vec![0; 1280 * 800];
    for number in [39, 30, 21, 5] {
        backwards.draw(number, &mut picture);
        assert!(
            picture == pictures[number as usize],
            "frame {number} differs"
        );
    }
    let other = BeltSourcePlan { seed: 2, ..plan };
    Renderer::new(scene(&other)).draw(30, &mut picture);
    assert!(picture != pictures[30]);
}

/// The share of modules that the truth's grid finds dark where light was printed
/// or the other way round, over all codes in view of a frame.
fn wrong_modules(belt: &Belt, frame: &Frame) -> (usize, usize) {
    let (mut wrong, mut all) = (0, 0);
    for code in belt.truth().codes_in_view(frame.stamp.mono_ns) {
        let item = belt.scene.item(code.item).expect("is in view");
        let label = &item.labels[code.label];
        let side = label.side() as usize;
        let grid = Homography::from_unit_square(&code.corners).expect("a square");
        for (i, dark) in label.modules().into_iter().enumerate() {
            let at = |n: usize| (n as f64 + 0.5) / side as f64;
            let place = grid.map(at(i % side), at(i / side));
            let level = frame.luma().at(place.x as usize, place.y as usize);
            all += 1;
            wrong += usize::from((level < 124) != dark);
        }
    }
    (wrong, all)
}

#[test]
fn every_module_lies_where_the_truth_says_rolling_shutter_and_jogs_included() {
    let plan = BeltSourcePlan {
        readout_ms: 12.0,
        noise: 3.0,
        gap_mm: 20.0,
        ..clean()
    };
    let script = BeltScript::new()
        .run(ms(200))
        .brake(ms(300))
        .at_speed(-0.6, ms(300))
        .start(ms(400));
    let belt = belt(&plan, script);
    let mut camera = belt.open().expect("opens");
    let pool = pool();
    let (mut wrong, mut all) = (0, 0);
    for _ in 0..90 {
        let frame = next(&mut camera, &pool).expect("endless");
        let (w, a) = wrong_modules(&belt, &frame);
        wrong += w;
        all += a;
    }
    assert!(all > 50_000, "{all} modules seen");
    assert!(wrong * 10_000 < all, "{wrong} of {all} modules are wrong");
}

#[test]
fn labels_are_real_codes() {
    let plan = BeltSourcePlan {
        items: 12,
        ..clean()
    };
    let belt = belt(&plan, BeltScript::new());
    let truth = belt.truth();
    let mut camera = belt.open().expect("opens");
    let pool = pool();
    let mut read = std::collections::BTreeSet::new();
    while let Some(frame) = next(&mut camera, &pool) {
        for code in truth.codes_in_view(frame.stamp.mono_ns) {
            if read.contains(&code.item) {
                continue;
            }
            let (left, top, right, bottom) = code.corners.bounds();
            let crop = frame.luma().crop(
                left as usize - 12,
                top as usize - 12,
                (right - left) as usize + 24,
                (bottom - top) as usize + 24,
            );
            let mut image =
                rqrr::PreparedImage::prepare_from_greyscale(crop.width(), crop.height(), |x, y| {
                    crop.at(x, y)
                });
            if let Some((_, text)) = image.detect_grids().iter().find_map(|g| g.decode().ok()) {
                assert_eq!(text, code.text);
                read.insert(code.item);
            }
        }
    }
    assert_eq!(read.len(), 12, "read: {read:?}");
}

/// Mean profile around the left edge of the finder pattern that occupies rows
/// `rows`, from 18 px before `x` to 18 px behind it.
fn profile(frame: &Frame, x: f32, rows: std::ops::Range<usize>) -> Vec<f64> {
    let from = x as usize - 18;
    (from..from + 36)
        .map(|x| {
            let sum: f64 = rows.clone().map(|y| f64::from(frame.luma().at(x, y))).sum();
            sum / rows.len() as f64
        })
        .collect()
}

/// Mean and standard deviation of where the light goes, px from the profile's
/// start.
fn edge(profile: &[f64]) -> (f64, f64) {
    let falls: Vec<f64> = profile.windows(2).map(|p| (p[0] - p[1]).max(0.0)).collect();
    let all: f64 = falls.iter().sum();
    let moment = |f: &dyn Fn(f64) -> f64| {
        let sum: f64 = falls
            .iter()
            .zip(1..)
            .map(|(w, x)| w * f(f64::from(x)))
            .sum();
        sum / all
    };
    let mean = moment(&|x| x);
    (mean, moment(&|x| (x - mean).powi(2)).sqrt())
}

/// One upright label with modules of 18 px, seen by a camera with this exposure
/// and readout: the frame in which its code begins near x = 300, with the truth.
fn large_label(exposure_us: u32, readout_ms: f32, defocus_px: f32) -> (Frame, TruthCode) {
    let camera = CameraPlan {
        exposure_us: Some(exposure_us),
        ..camera_plan()
    };
    let plan = BeltSourcePlan {
        readout_ms,
        ..clean()
    };
    let script = BeltScript::new()
        .item(ScriptedItem::bare("BLUR", 170.0, 4.5))
        .look(Look {
            defocus_px,
            ..SHARP
        });
    let belt = Belt::new(&camera, &plan, script).expect("a belt");
    let mut camera = belt.open().expect("opens");
    let pool = pool();
    loop {
        let frame = next(&mut camera, &pool).expect("comes past");
        if let Some(code) = belt.truth().codes_in_view(frame.stamp.mono_ns).pop()
            && code.corners.0[0].x > 300.0
        {
            return (frame, code);
        }
    }
}

#[test]
fn a_bracket_gives_two_exposures_in_turn_and_says_which() {
    let camera = CameraPlan {
        exposure_us: Some(500),
        exposure_bracket: Some(4.0),
        ..camera_plan()
    };
    let script = BeltScript::new()
        .item(ScriptedItem::bare("BLUR", 170.0, 4.5))
        .look(SHARP);
    let belt = Belt::new(&camera, &clean(), script).expect("a belt");
    let mut camera = belt.open().expect("opens");
    let pool = pool();
    let mut blurs = [0.0; 2];
    while blurs.contains(&0.0) {
        let frame = next(&mut camera, &pool).expect("comes past");
        let odd = (frame.stamp.sequence % 2) as usize;
        assert_eq!(frame.stamp.exposure_us, Some([500, 2000][odd]));
        if let Some(code) = belt.truth().codes_in_view(frame.stamp.mono_ns).pop()
            && code.corners.0[0].x > 300.0
        {
            let corner = code.corners.0[0];
            let rows = corner.y as usize + 4..corner.y as usize + 122;
            blurs[odd] = edge(&profile(&frame, corner.x, rows)).1;
        }
    }
    // 2 and 8 px on the way: the variance of a box is a twelfth of its square.
    let difference = blurs[1] * blurs[1] - blurs[0] * blurs[0];
    assert!((difference - 60.0 / 12.0).abs() < 0.5, "{blurs:?}");
}

#[test]
fn blur_is_as_long_as_the_way_during_the_exposure() {
    for (exposure_us, way) in [(250, 1.0_f64), (1000, 4.0), (2500, 10.0), (4100, 16.4)] {
        let (frame, code) = large_label(exposure_us, 0.0, 0.0);
        let [corner, ..] = code.corners.0;
        let rows = corner.y as usize + 4..corner.y as usize + 122;
        let (mean, deviation) = edge(&profile(&frame, corner.x, rows));
        // A box of length L has variance L² / 12; the pixel's own width adds 1 / 12,
        // the difference of neighbours another, the printing at quarter pixels a
        // little.
        let expected = ((way * way + 2.0) / 12.0).sqrt();
        assert!(
            (deviation - expected).abs() < 0.02 + 0.005 * way,
            "exposure {exposure_us}: deviation {deviation}, expected {expected}"
        );
        let place = f64::from(corner.x).floor() - 18.0 + mean;
        assert!(
            (place - f64::from(corner.x)).abs() < 0.6,
            "the edge is at {place}, by the truth at {}",
            corner.x
        );
    }
}

#[test]
fn defocus_has_the_deviation_asked_for() {
    for sigma in [1.0_f32, 2.5] {
        let (frame, code) = large_label(10, 0.0, sigma);
        let [corner, ..] = code.corners.0;
        let rows = corner.y as usize + 12..corner.y as usize + 114;
        let (_, deviation) = edge(&profile(&frame, corner.x, rows));
        let expected = (f64::from(sigma).powi(2) + 2.0 / 12.0).sqrt();
        assert!(
            // The Gaussian is cut off at three deviations.
            (deviation - expected).abs() < 0.03 * f64::from(sigma),
            "sigma {sigma}: {deviation}, expected {expected}"
        );
    }
}

#[test]
fn a_rolling_shutter_skews_by_the_way_during_the_readout() {
    let (frame, code) = large_label(50, 16.0, 0.0);
    let [top_left, _, _, bottom_left] = code.corners.0;
    let (upper, lower) = (top_left.y as usize, bottom_left.y as usize);
    let at = |middle: usize, x: f32| {
        let (mean, _) = edge(&profile(&frame, x, middle - 2..middle + 3));
        f64::from(x).floor() + mean
    };
    // Rows in the middle of the two finder patterns on the left.
    let skew = at(lower - 63, bottom_left.x) - at(upper + 63, top_left.x);
    let rows = (lower - 63 - upper - 63) as f64;
    // 4000 px/s for the rows' share of 16 ms.
    let expected = 4000.0 * 0.016 * rows / 800.0;
    assert!(expected > 20.0);
    assert!(
        (skew - expected).abs() < 0.7,
        "skew {skew}, expected {expected}"
    );
}

#[test]
fn the_truth_counts_every_item_once_and_the_belt_ends_after_the_last() {
    let plan = BeltSourcePlan {
        items: 9,
        ..clean()
    };
    // A jog back in the middle does not make a second item of any.
    let script = BeltScript::new()
        .run(ms(900))
        .at_speed(-0.5, ms(300))
        .stop(ms(200));
    let belt = belt(&plan, script);
    let truth = belt.truth();
    assert_eq!(truth.count(), Some(9));
    let items: Vec<_> = truth.items().collect();
    assert_eq!(items.len(), 9);
    let mut camera = belt.open().expect("opens");
    let pool = pool();
    let mut first = vec![None; 9];
    let mut last = vec![None; 9];
    let mut latest = 0;
    while let Some(frame) = next(&mut camera, &pool) {
        latest = frame.stamp.mono_ns;
        for code in truth.codes_in_view(latest) {
            let index = code.item as usize;
            assert_eq!(items[index].texts, [code.text]);
            first[index].get_or_insert(latest);
            last[index] = Some(latest);
        }
        let counted = truth.entered_by(0, latest).count();
        assert_eq!(counted, first.iter().flatten().count(), "at {latest}");
    }
    const FRAME: u64 = 16_666_667;
    for (item, (first, last)) in items.iter().zip(first.into_iter().zip(last)) {
        let (first, last) = (first.expect("was in view"), last.expect("was in view"));
        let (entered, left) = (
            item.entered_ns.expect("enters"),
            item.left_ns.expect("leaves"),
        );
        assert!(
            entered <= first && first - entered <= FRAME,
            "{item:?}: {first}"
        );
        assert!(last < left && left <= latest + FRAME, "{item:?}: {last}");
    }
}

#[test]
fn a_belt_that_stands_shows_the_same_picture() {
    let script = BeltScript::new().run(ms(400)).stop(ms(200));
    let belt = belt(&clean(), script);
    let mut camera = belt.open().expect("opens");
    let pool = pool();
    let mut pictures = Vec::new();
    for _ in 0..40 {
        pictures.push(next(&mut camera, &pool).expect("endless").to_vec());
    }
    // 400 ms are 24 frames, 600 ms 36.
    assert!((25..36).all(|n| pictures[n] == pictures[24]));
    assert!(pictures[22] != pictures[24] && pictures[38] != pictures[24]);
}

#[test]
fn a_hand_hides_the_whole_code_and_goes_again() {
    let script = BeltScript::new()
        .run(ms(300))
        .stop(ms(3000))
        .item(ScriptedItem::boxed("UNDER A HAND").gap_mm(0.0))
        .cover(0, ms(1000), ms(2000));
    let belt = belt(&clean(), script.look(SHARP));
    let truth = belt.truth();
    let mut camera = belt.open().expect("opens");
    let pool = pool();
    let (mut hidden, mut shown) = (0, 0);
    while let Some(frame) = next(&mut camera, &pool) {
        let number = frame.stamp.sequence;
        let Some(code) = truth.codes_in_view(frame.stamp.mono_ns).pop() else {
            continue;
        };
        assert_eq!(code.covered, (60..180).contains(&number), "frame {number}");
        let (wrong, all) = wrong_modules(&belt, &frame);
        if code.covered {
            hidden += 1;
            let (left, top, right, bottom) = code.corners.bounds();
            let dark = (top as usize..bottom as usize)
                .any(|y| (left as usize..right as usize).any(|x| frame.luma().at(x, y) < 120));
            assert!(!dark, "print shows through in frame {number}");
        } else {
            shown += 1;
            assert!(wrong * 100 < all, "frame {number}: {wrong} of {all}");
        }
    }
    assert_eq!(hidden, 120);
    assert!(shown > 40);
}

#[test]
fn equal_labels_lie_at_their_pitch() {
    let script = BeltScript::new().equal_labels("SAME", 4, 30.0, 0.7);
    let belt = belt(&clean(), script);
    let truth = belt.truth();
    let all_in = truth.item(3).and_then(|i| i.entered_ns).expect("enters");
    let codes = truth.codes_in_view(all_in + 1_000_000);
    assert_eq!(codes.len(), 4);
    for pair in codes.windows(2) {
        let way = pair[0].corners.centre().x - pair[1].corners.centre().x;
        assert!((way - 120.0).abs() < 0.01, "{way}");
        assert_eq!(pair[0].text, pair[1].text);
    }
    let expected: Vec<u64> = (0..4).collect();
    assert_eq!(codes.iter().map(|c| c.item).collect::<Vec<_>>(), expected);
}

#[test]
fn outages_leave_a_gap_and_a_lost_camera_is_reported_once() {
    let script = BeltScript::new()
        .frames_missing(ms(100), ms(100))
        .camera_lost(ms(300), ms(3000))
        .end_at(ms(3400));
    let belt = belt(&clean(), script);
    let pool = pool();
    let mut camera = belt.open().expect("opens");
    let mut seen = Vec::new();
    let mut faults = Vec::new();
    loop {
        match camera.grab(&pool, PATIENCE) {
            Ok(Grab::Frame(frame)) => seen.push(frame.stamp.sequence),
            Ok(Grab::Idle) => panic!("a simulated belt does not idle"),
            Ok(Grab::End) => break,
            Err(error) => {
                faults.push((error.kind, seen.len()));
                camera = belt.open().expect("is back");
            }
        }
    }
    let expected: Vec<u64> = (0..6).chain(12..18).chain(198..204).collect();
    assert_eq!(seen, expected);
    assert_eq!(faults, [(CameraErrorKind::Lost, 12)]);
}

#[test]
fn a_live_belt_goes_on_without_its_camera_and_drops_what_finds_no_buffer() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let plan = BeltSourcePlan {
        real_time: true,
        started_unix_ms: now.as_millis() as u64 - 10_000,
        ..BeltSourcePlan::default()
    };
    let belt = belt(&plan, BeltScript::new());
    let mut camera = belt.open().expect("opens");
    let pool = pool();
    let first = next(&mut camera, &pool).expect("endless");
    assert!(first.stamp.sequence >= 590, "{:?}", first.stamp);
    let clock = monotonic_ns() as u64;
    assert!(
        first.stamp.mono_ns < clock,
        "no frame is there before its time"
    );
    // The only buffer is ours: nothing comes, and when it is back there is a gap.
    let held = first.stamp.sequence;
    assert!(matches!(camera.grab(&pool, ms(100)), Ok(Grab::Idle)));
    drop(first);
    let second = next(&mut camera, &pool).expect("endless");
    assert!(second.stamp.sequence > held + 1);
    let way = second.stamp.mono_ns - 1;
    assert_eq!(
        belt.truth().codes_in_view(way).len(),
        belt.truth().codes_in_view(way).len()
    );
}

#[test]
fn the_truth_of_a_live_belt_is_the_same_in_another_process() {
    let plan = BeltSourcePlan {
        real_time: true,
        started_unix_ms: 1_790_000_000_000,
        ..BeltSourcePlan::default()
    };
    let (one, other) = (
        belt(&plan, BeltScript::new()),
        belt(&plan, BeltScript::new()),
    );
    let texts = |belt: &Belt| {
        let items = belt.truth();
        (0..50)
            .filter_map(|i| items.item(i))
            .flat_map(|i| i.texts)
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&one), texts(&other));
    let entered = |belt: &Belt| belt.truth().item(7_000_000).and_then(|i| i.entered_ns);
    let apart = entered(&one)
        .expect("enters")
        .abs_diff(entered(&other).expect("enters"));
    // Two readings of two clocks.
    assert!(apart < 1_000_000_000, "{apart} ns");
}
