//! Codes that no single frame tells: tracks of ten frames under glare and in
//! noise, through reader and tracker as `read --sequence` does it.

use std::time::Duration;

use beltscan::camera::belt::degrade::{Degradation, Drift, Print};
use beltscan::camera::belt::{Belt, BeltScript};
use beltscan::camera::{Grab, Source};
use beltscan::config::{BeltSourcePlan, CameraPlan, Config, Decide, Focus, ItemPlan, SourcePlan};
use beltscan::frame::{Frame, Luma, Pool, Stamp};
use beltscan::item::Event;
use beltscan::pipeline::Sequence;
use beltscan::qr::ReaderOptions;

const FRAMES: usize = 10;

/// A label that lies in all frames alike.
const STRAIGHT: Drift = Drift {
    turn_deg: 0.0,
    growth: 0.0,
    tilt: 0.0,
};

/// The items of one track, and what it says. `fusion` as in the configuration.
fn items(how: &Degradation, step_px: f32, drift: Drift, fusion: bool) -> (Vec<Event>, String) {
    let mut random = fastrand::Rng::with_seed(how.seed);
    let level = ['L', 'M', 'Q', 'H'][random.usize(..4)];
    let text: String = (0..random.usize(10..60))
        .map(|_| random.alphanumeric())
        .collect();
    let print = Print::new(&text, level).expect("fits");
    let plan = Config::default().plan().expect("the defaults are valid");
    let item = ItemPlan {
        decide: Decide::Leave,
        fusion,
        ..plan.item
    };
    let mut sequence = Sequence::new(ReaderOptions::default(), item, Vec::new(), plan.noread);
    let mut events = Vec::new();
    for (n, shot) in print
        .track_drifting(how, FRAMES, step_px, drift)
        .iter()
        .enumerate()
    {
        let ns = (n as u64 + 1) * 16_666_667;
        let stamp = Stamp {
            sequence: n as u64,
            mono_ns: ns,
            wall_ns: ns as i64,
            exposure_us: None,
        };
        let luma = Luma::new(&shot.pixels, shot.width, shot.height, shot.width).expect("fits");
        assert!(sequence.frame(&stamp, luma, &mut events));
    }
    sequence.end(&mut events);
    (events, text)
}

/// How many of `tracks` tracks are read. Every code is at most one item, and no
/// item says anything else.
fn read(
    tracks: u64,
    step_px: f32,
    drift: Drift,
    fusion: bool,
    how: impl Fn(Degradation) -> Degradation,
) -> usize {
    (0..tracks)
        .filter(|&seed| {
            let how = how(Degradation {
                seed,
                turn_deg: 360.0 * fastrand::Rng::with_seed(!seed).f32(),
                perspective: 0.03,
                ..Degradation::default()
            });
            let (events, text) = items(&how, step_px, drift, fusion);
            let read: Vec<&Event> = events.iter().filter(|e| !e.codes.is_empty()).collect();
            assert!(read.len() <= 1, "{seed}: {} items of one code", read.len());
            for event in &read {
                let code = &event.codes[0];
                assert_eq!(code.text.as_deref(), Some(text.as_str()), "{seed}");
                assert!(event.track.votes <= event.track.frames, "{seed}");
                assert!(fusion || code.method != "fused");
                let (left, top, right, bottom) = code.corners.bounds();
                let size = (right - left).max(bottom - top);
                assert!((60.0..400.0).contains(&size), "{seed}: {size} px");
            }
            !read.is_empty()
        })
        .count()
}

#[test]
fn labels_that_slide_under_glare_are_read() {
    let glare = |base| Degradation {
        glare: 0.35,
        ..base
    };
    let fused = read(20, 12.0, STRAIGHT, true, glare);
    assert!(fused >= 17, "{fused} of 20");
}

#[test]
fn labels_that_turn_grow_and_tip_over_under_glare_are_read() {
    let glare = |base| Degradation {
        glare: 0.35,
        ..base
    };
    let drifts = [(1.0, 0.0, 0.0), (-1.5, 0.01, 0.0), (0.0, -0.015, 0.01)];
    let (mut all_alone, mut all_fused) = (0, 0);
    for (turn_deg, growth, tilt) in drifts {
        let drift = Drift {
            turn_deg,
            growth,
            tilt,
        };
        let (alone, fused) = (
            read(4, 12.0, drift, false, glare),
            read(4, 12.0, drift, true, glare),
        );
        println!("{drift:?}: {fused} of 4 and {alone} in single frames");
        all_alone += alone;
        all_fused += fused;
    }
    assert!(
        all_fused >= 10 && all_fused > all_alone,
        "{all_fused}, {all_alone}"
    );
}

#[test]
fn labels_in_noise_as_strong_as_their_contrast_are_read() {
    let faint = |base| Degradation {
        contrast: 12.0,
        noise: 10.0,
        ..base
    };
    let fused = read(12, 16.0, STRAIGHT, true, faint);
    assert!(fused >= 9, "{fused} of 12");
}

#[test]
fn what_single_frames_tell_too_is_still_one_item() {
    let glare = |base| Degradation {
        glare: 0.25,
        ..base
    };
    assert_eq!(read(12, 24.0, STRAIGHT, true, glare), 12);
}

#[test]
fn without_fusion_frames_stay_alone() {
    let glare = |base| Degradation {
        glare: 0.45,
        ..base
    };
    let (alone, fused) = (
        read(6, 12.0, STRAIGHT, false, glare),
        read(6, 12.0, STRAIGHT, true, glare),
    );
    assert!(alone < fused, "{alone} and {fused} of 6");
}

/// A belt that carries a code 80 px from frame to frame, farther than frames are sought
/// for each other before its speed is known. Readers with little time read the code in
/// some frames only, and what is added up of the others must be said to stand where it
/// does: beside the code's own track it would be a second item.
#[test]
fn what_is_added_up_stands_where_the_frame_shows_it() {
    let source = BeltSourcePlan {
        real_time: false,
        speed_m_s: 0.6,
        seed: 7,
        noise: 2.0,
        glare: 0.0,
        ..BeltSourcePlan::default()
    };
    let camera = CameraPlan {
        source: SourcePlan::Belt(source.clone()),
        width: 640,
        height: 480,
        fps: 30.0,
        exposure_us: None,
        exposure_bracket: None,
        gain: None,
        focus: Focus::Leave,
        timeout: Duration::from_secs(2),
    };
    let belt = Belt::new(&camera, &source, BeltScript::default()).expect("a belt");
    let truth = belt.truth();
    let mut lens = belt.open().expect("no outage at the start");
    let view = 1126..1138;
    let pool = Pool::new(view.len() + 1, 640 * 480);
    let mut frames: Vec<Frame> = Vec::new();
    for n in 0..view.end {
        match lens.grab(&pool, Duration::from_secs(60)) {
            Ok(Grab::Frame(frame)) if view.contains(&n) => frames.push(frame),
            Ok(Grab::Frame(_)) => {}
            _ => panic!("the belt goes on"),
        }
    }
    let plan = Config::default().plan().expect("the defaults are valid");
    let (mut items, mut added_up) = (0, 0);
    for (budget, kept) in (27..70).flat_map(|b| [0xfff, 0xdb7, 0xb6d].map(|k| (b * 20_000, k))) {
        let options = ReaderOptions {
            budget: Some(budget),
            ..ReaderOptions::default()
        };
        let (item, noread) = (plan.item.clone(), plan.noread.clone());
        let mut sequence = Sequence::new(options, item, Vec::new(), noread);
        let mut events = Vec::new();
        for (_, frame) in frames
            .iter()
            .enumerate()
            .filter(|(n, _)| kept >> n & 1 == 1)
        {
            sequence.frame(&frame.stamp, frame.luma(), &mut events);
        }
        sequence.end(&mut events);
        let mut texts: Vec<&str> = Vec::new();
        for event in events.iter().filter(|event| !event.codes.is_empty()) {
            let code = &event.codes[0];
            let text = code.text.as_deref().expect("text");
            assert!(!texts.contains(&text), "{text} twice: {events:#?}");
            texts.push(text);
            added_up += usize::from(code.method == "fused");
            let stands = truth
                .codes_in_view(event.captured_mono_ns)
                .iter()
                .any(|real| real.text == text && real.corners.contains(code.corners.centre()));
            assert!(stands, "{text} does not stand there: {event:#?}");
        }
        items += texts.len();
    }
    println!("{added_up} of {items} were added up");
    assert!(items > 60, "{items}");
}
