//! Frames whose stamps do not tell when they were taken: a driver that stamps them
//! as they arrive, on a bus or a machine that delivers them in bursts.

use super::random::{ANGLES, any_belt};
use super::*;

/// Labels of their own texts, one every `apart` pixels, until they have passed. The
/// first comes after a moment: nobody knows a camera's pace from its first frames.
fn labels(mut belt: Belt, speed: f64, count: usize, apart: f32) -> Belt {
    let first = 0.5 * speed as f32;
    for i in 0..count {
        belt = belt.label(&format!("L{i}"), first + apart * i as f32);
    }
    belt.lasting((f64::from(first + apart * count as f32) + 1500.0) / speed)
}

/// Late until somebody looks: every `period` seconds.
fn looked_at_every(period: f64) -> Box<dyn Fn(f64) -> f64> {
    Box::new(move |t| (t / period).ceil() * period - t)
}

#[test]
fn frames_that_arrive_in_bursts() {
    for (fps, speed, period) in [
        (60.0, 1200.0, 0.1),
        (60.0, 4000.0, 0.2),
        (30.0, 600.0, 0.4),
        (10.0, 120.0, 0.7),
    ] {
        let mut belt = labels(Belt::new(speed), speed, 30, 400.0);
        belt.fps = fps;
        belt.late = looked_at_every(period);
        belt.run().once_each();
    }
}

#[test]
fn bursts_longer_than_a_gap() {
    for (fps, speed, period) in [(8.0, 120.0, 2.0), (60.0, 600.0, 0.8)] {
        let mut belt = labels(Belt::new(speed), speed, 20, 500.0);
        belt.fps = fps;
        // Steady at first, then it stumbles now and then.
        let burst = looked_at_every(period);
        belt.late = Box::new(move |t| match (t / period) as u64 % 4 {
            3 => burst(t),
            _ => 0.0,
        });
        belt.run().once_each();
    }
}

#[test]
fn single_frames_that_come_late() {
    for seed in 0..20 {
        let mut belt = labels(Belt::new(1500.0), 1500.0, 40, 300.0);
        belt.fps = 30.0;
        belt.miss = 0.1;
        belt.late = Box::new(move |t| {
            let draw = fastrand::Rng::with_seed(seed ^ (t * 30.0) as u64).f64();
            0.15 * draw.powi(6)
        });
        belt.run().once_each();
    }
}

#[test]
fn equal_labels_in_frames_that_arrive_in_bursts() {
    let mut belt = Belt::new(1000.0).lasting(12.0);
    belt.fps = 60.0;
    for i in 0..60 {
        belt = belt.label("SAME", 120.0 * i as f32);
    }
    // Steady for two seconds: it takes a few frames to know a camera's pace.
    let burst = looked_at_every(0.1);
    belt.late = Box::new(move |t| if t < 2.0 { 0.0 } else { burst(t) });
    belt.run().once_each();
}

#[test]
fn a_camera_that_rests_is_not_late() {
    // Away for ten seconds, and the count goes on: what comes then is as steady as
    // before, and what passed meanwhile is not waited for.
    let mut belt = labels(Belt::new(1200.0), 1200.0, 60, 300.0);
    belt.blackouts = vec![(3.0, 13.0)];
    let outcome = belt.run();
    assert_eq!(outcome.published(), outcome.truth());
}

#[test]
fn frames_lost_before_anybody_counts_them() {
    for (speed, apart) in [(1500.0, 300.0), (4000.0, 160.0)] {
        let mut belt = labels(Belt::new(speed), speed, 40, apart);
        belt.uncounted = 0.2;
        belt.run().once_each();
    }
}

/// A program that is held up, by turns, and reads its frames from a pipe that holds
/// none: what it did not fetch is lost and not counted, what it fetched came late.
#[test]
fn frames_that_are_late_and_others_lost_by_turns() {
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (speed, turn) = (400.0 + 3600.0 * rng.f64(), 1.0 + 2.0 * rng.f64());
        let mut belt = labels(Belt::new(speed), speed, 40, 400.0);
        let is_held_up = move |t: f64| (t / turn) as u64 % 2 == 1;
        let draw = move |t: f64, salt: u64| {
            fastrand::Rng::with_seed(seed << 40 ^ salt << 32 ^ (t * 60.0 + 0.5) as u64).f64()
        };
        belt.skip = Box::new(move |n| {
            let t = n as f64 / 60.0;
            is_held_up(t) && draw(t, 1) < 0.5
        });
        belt.late = Box::new(move |t| {
            if is_held_up(t) {
                0.04 * draw(t, 2)
            } else {
                0.0
            }
        });
        belt.run().once_each();
    }
}

/// The same with reads that fail and frames that nobody had time for, stamped as they
/// come or by their pace: then some that were lost show in no stamp and in no count,
/// only in how far the belt went.
#[test]
fn held_up_with_failed_reads_goes_wrong_at_most_three_times_in_a_thousand_items() {
    let (mut wrong, mut all) = (0, 0);
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (speed, turn) = (400.0 + 3600.0 * rng.f64(), 1.0 + 2.0 * rng.f64());
        let mut belt = labels(Belt::new(speed), speed, 40, 300.0 + 600.0 * rng.f32());
        belt.miss = 0.3 * rng.f64();
        belt.dropped = 0.2 * rng.f64();
        belt.paced = rng.bool().then_some(0.05);
        let is_held_up = move |t: f64| t > 0.5 && (t / turn) as u64 % 2 == 1;
        let draw = move |t: f64, salt: u64| {
            fastrand::Rng::with_seed(seed << 40 ^ salt << 32 ^ (t * 60.0 + 0.5) as u64).f64()
        };
        let (lost, late) = (0.1 * rng.f64(), 0.05 * rng.f64());
        belt.skip = Box::new(move |n| {
            let t = n as f64 / 60.0;
            is_held_up(t) && draw(t, 1) < lost
        });
        belt.late = Box::new(move |t| match is_held_up(t) {
            true => late * draw(t, 2),
            false => 0.0,
        });
        let outcome = belt.run();
        all += outcome.truth().values().sum::<usize>();
        wrong += outcome.wrong();
    }
    assert!(wrong * 1000 <= 3 * all, "{wrong} of {all} items");
}

#[test]
fn a_camera_that_changes_its_pace() {
    // Half as many frames in dim light: every other one from 3 s to 6 s.
    let mut belt = labels(Belt::new(1200.0), 1200.0, 30, 300.0);
    belt.skip = Box::new(|n| (180..360).contains(&n) && n % 2 == 1);
    belt.run().once_each();
}

/// A stream that repeats its last picture while nothing comes, or a buffer that is
/// written again before it was read: the belt stands for many frames and then goes all
/// the way in one. From one such step it might go at any speed, and each frame's code
/// be another one.
#[test]
fn pictures_that_stand_and_then_jump() {
    let jumping = |(fps, speed, period): (f64, f64, f64), steady: f64| {
        let mut belt = labels(Belt::new(speed), speed, 20, 240.0);
        (belt.plan.width, belt.plan.height) = (320, 240);
        belt.fps = fps;
        let late = move |t: f64| match t < steady {
            true => 0.0,
            false => looked_at_every(period)(t),
        };
        belt.late = Box::new(late);
        // The last one of the burst, in whole frames.
        belt.shown = Box::new(move |t| (late(t) * fps + 1e-6).floor() / fps);
        belt.run()
    };
    for case in [(8.0, 120.0, 1.5), (30.0, 300.0, 0.2), (30.0, 300.0, 0.5)] {
        jumping(case, 0.0).once_each();
    }
    // Where it has run well before, such a step is a surprise, and some are taken for
    // two; none for more.
    for case in [(8.0, 120.0, 1.0), (8.0, 120.0, 1.5), (30.0, 300.0, 0.5)] {
        let outcome = jumping(case, 4.0);
        let most = outcome.published().into_values().max();
        assert!(most <= Some(2), "{case:?}: {:?}", outcome.published());
    }
}

/// Neighbours differ, and nothing is known of the belt or of the camera, which is
/// steady for half a second and then delivers in bursts of up to a quarter of a
/// second, always or by turns. What is left: the first frame of a burst on a fast belt.
#[test]
fn any_belt_in_bursts_goes_wrong_less_than_three_times_in_a_thousand_items() {
    let (mut wrong, mut all) = (0, 0);
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let fps = [30.0, 60.0, 120.0][rng.usize(..3)];
        let (speed, miss) = (200.0 + 1800.0 * rng.f64(), 0.3 * rng.f64());
        let angle = ANGLES[rng.usize(..ANGLES.len())];
        let mut belt = any_belt(seed, speed, fps, miss, angle, false, 8, 60.0);
        let (burst, calm) = (looked_at_every(0.02 + 0.23 * rng.f64()), rng.u64(1..5));
        belt.late = Box::new(move |t| match t {
            ..0.5 => 0.0,
            _ if (t as u64).is_multiple_of(calm) => burst(t),
            _ => 0.0,
        });
        let outcome = belt.run();
        all += outcome.truth().values().sum::<usize>();
        wrong += outcome.wrong();
    }
    assert!(wrong * 1000 <= 3 * all, "{wrong} of {all} items");
}
