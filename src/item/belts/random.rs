//! Belts drawn at random.

use super::*;

/// A belt with 25 labels of a few different texts.
#[allow(clippy::too_many_arguments)]
pub(super) fn any_belt(
    seed: u64,
    speed: f64,
    fps: f64,
    miss: f64,
    angle: f32,
    known: bool,
    variety: usize,
    size: f32,
) -> Belt {
    let mut belt = Belt::new(speed);
    belt.rng = fastrand::Rng::with_seed(seed);
    belt.fps = fps;
    belt.miss = miss;
    belt.angle = angle;
    if known {
        belt.plan.belt_px_s = Some((speed as f32 * angle.cos(), speed as f32 * angle.sin()));
    }
    let mut ahead = 100.0;
    for _ in 0..25 {
        let text = format!("P{}", belt.rng.usize(0..variety));
        belt = belt.label(&text, ahead);
        let last = belt.labels.len() - 1;
        belt.labels[last].size = size;
        belt.labels[last].aside = (belt.rng.f32() - 0.5) * 100.0;
        // At least a quiet zone apart.
        ahead += size * 1.5 + belt.rng.f32() * 600.0;
    }
    belt.seconds = f64::from(ahead + 1800.0) / speed;
    belt
}

proptest! {
    // Always the same belts: about one in ten thousand cannot be told apart.
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    /// A belt of known speed: every item that was read at least once is
    /// published once, whatever the texts.
    #[test]
    fn every_item_once_at_a_known_speed(
        seed in any::<u64>(),
        speed in 200.0..6000.0f64,
        fps in prop::sample::select(vec![30.0, 60.0, 120.0]),
        miss in 0.0..0.6f64,
        angle in prop::sample::select(&ANGLES[..]),
        variety in 1..6usize,
        size in 40.0..120.0f32,
    ) {
        let mut belt = any_belt(seed, speed, fps, miss, angle, true, variety, size);
        let outcome = belt.run();
        prop_assert_eq!(outcome.published(), outcome.truth());
    }

    /// A belt of which nothing is known: the same, if neighbours differ and a
    /// code is in view for a dozen frames.
    #[test]
    fn every_item_once_at_an_unknown_speed(
        seed in any::<u64>(),
        speed in 200.0..3000.0f64,
        fps in prop::sample::select(vec![60.0, 120.0]),
        miss in 0.0..0.6f64,
        angle in prop::sample::select(&ANGLES[..]),
        variety in 8..30usize,
        size in 40.0..120.0f32,
    ) {
        let mut belt = any_belt(seed, speed, fps, miss, angle, false, variety, size);
        let outcome = belt.run();
        prop_assert_eq!(outcome.published(), outcome.truth());
    }

    /// Equal texts on a belt of which nothing is known: the same, if codes are
    /// seen in many frames and seldom missed.
    #[test]
    fn equal_texts_once_each_at_an_unknown_speed(
        seed in any::<u64>(),
        speed in 200.0..3000.0f64,
        fps in prop::sample::select(vec![60.0, 120.0]),
        miss in 0.0..0.3f64,
        angle in prop::sample::select(&ANGLES[..]),
        size in 40.0..120.0f32,
    ) {
        let mut belt = any_belt(seed, speed, fps, miss, angle, false, 1, size);
        let outcome = belt.run();
        prop_assert_eq!(outcome.published(), outcome.truth());
    }
}

pub(super) const ANGLES: [f32; 5] = [0.0, FRAC_PI_2, PI, -FRAC_PI_2, 0.4];

/// Nothing is known of the belt, a code is in view for as few as four frames, and
/// up to six in ten reads fail; or all texts are equal. Some of these belts can
/// be explained in more than one way.
#[test]
fn hard_belts_go_wrong_less_than_once_in_a_thousand_items() {
    for (fps, fastest, variety) in [(30.0, 5000.0, 12), (60.0, 6000.0, 12), (60.0, 3000.0, 1)] {
        let (mut wrong, mut all) = (0, 0);
        for seed in 0..120 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let speed = 200.0 + rng.f64() * (fastest - 200.0);
            let miss = rng.f64() * 0.6;
            let angle = ANGLES[rng.usize(..ANGLES.len())];
            let size = 40.0 + 80.0 * rng.f32();
            let outcome = any_belt(seed, speed, fps, miss, angle, false, variety, size).run();
            all += outcome.truth().values().sum::<usize>();
            wrong += outcome.wrong();
        }
        assert!(
            wrong * 1000 <= all,
            "{wrong} of {all} items at {fps} frames a second"
        );
    }
}
