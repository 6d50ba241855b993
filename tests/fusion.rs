//! Codes that no single frame tells: tracks of ten frames under glare and in
//! noise, through reader and tracker as `read --sequence` does it.

use beltscan::camera::belt::degrade::{Degradation, Drift, Print};
use beltscan::config::{Config, Decide, ItemPlan};
use beltscan::frame::{Luma, Stamp};
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
