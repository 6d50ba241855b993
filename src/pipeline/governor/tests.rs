//! Series of snapshots, written down, and what the state machine makes of them.

use super::machine::{Machine, Reason, Snapshot};
use super::*;

const DEADLINE: Duration = Duration::from_millis(16);

/// A belt with room to spare.
fn calm() -> Snapshot {
    Snapshot {
        live: true,
        deadline: DEADLINE,
        frame_p99: Some(Duration::from_millis(4)),
        wait_p99: Some(Duration::from_millis(1)),
        dropped: Some(0.0),
        quota_used: Some(0.4),
        throttled: Some(0.0),
        memory: Some(0.5),
        models: 0.4,
        memory_stall: 0.0,
        heat: Some(-30.0),
        slowed: false,
    }
}

/// A machine and its clock, a second a snapshot.
#[derive(Default)]
struct Series {
    machine: Machine,
    now: Duration,
}

impl Series {
    fn one(&mut self, snapshot: &Snapshot) -> u8 {
        self.now += Duration::from_secs(1);
        self.machine.step(self.now, snapshot);
        self.machine.level()
    }

    fn many(&mut self, count: u32, snapshot: &Snapshot) -> Vec<u8> {
        (0..count).map(|_| self.one(snapshot)).collect()
    }
}

fn quota(used: f64) -> Snapshot {
    Snapshot {
        quota_used: Some(used),
        ..calm()
    }
}

#[test]
fn each_sign_of_too_much_is_a_reason_and_one_second_of_it_is_not() {
    let signs = [
        (quota(0.99), Reason::Quota),
        (
            Snapshot {
                quota_used: None,
                throttled: Some(0.6),
                ..calm()
            },
            Reason::Quota,
        ),
        (
            Snapshot {
                frame_p99: Some(DEADLINE * 3 / 2),
                ..calm()
            },
            Reason::Late,
        ),
        (
            Snapshot {
                wait_p99: Some(DEADLINE * 3),
                ..calm()
            },
            Reason::Queues,
        ),
        (
            Snapshot {
                dropped: Some(0.5),
                ..calm()
            },
            Reason::Queues,
        ),
        (
            Snapshot {
                heat: Some(0.5),
                ..calm()
            },
            Reason::Heat,
        ),
        (
            Snapshot {
                slowed: true,
                ..calm()
            },
            Reason::Heat,
        ),
        (
            Snapshot {
                memory: Some(0.93),
                ..calm()
            },
            Reason::Memory,
        ),
        (
            Snapshot {
                memory_stall: 0.2,
                ..calm()
            },
            Reason::Memory,
        ),
    ];
    for (sign, reason) in signs {
        let mut series = Series::default();
        for _ in 0..5 {
            assert_eq!(series.one(&sign), 0, "{sign:?}");
            assert_eq!(series.one(&calm()), 0);
        }
        assert_eq!(series.many(4, &sign), [0, 1, 1, 2], "{sign:?}");
        assert_eq!(series.machine.reason(), Some(reason));
    }
}

/// Frames are left out for quota and heat, not because others have the processor.
#[test]
fn what_others_take_costs_text_and_no_frame() {
    let late = Snapshot {
        frame_p99: Some(DEADLINE * 10),
        dropped: Some(0.9),
        throttled: None,
        quota_used: None,
        ..calm()
    };
    let mut series = Series::default();
    assert_eq!(series.many(60, &late).last(), Some(&TEXT_STOPPED));
    let throttled = Snapshot {
        throttled: Some(0.3),
        ..late
    };
    assert_eq!(series.many(60, &throttled).last(), Some(&8));
}

/// A frame that ends at its deadline is no sign: reading is anytime.
#[test]
fn a_belt_that_uses_all_of_its_time_is_not_late() {
    let mut series = Series::default();
    let full = Snapshot {
        frame_p99: Some(DEADLINE * 18 / 16),
        throttled: None,
        quota_used: None,
        ..calm()
    };
    assert_eq!(series.many(60, &full), [0; 60]);
    // Under a quota that stands still now and then the same is lateness.
    let throttled = Snapshot {
        throttled: Some(0.1),
        ..full
    };
    assert_eq!(series.many(2, &throttled), [0, 1]);
}

#[test]
fn overload_climbs_to_the_top_and_recovery_comes_all_the_way_back() {
    let mut series = Series::default();
    let levels = series.many(20, &quota(1.0));
    assert_eq!(levels.last(), Some(&8));
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1));
    // Text stops before the first frame is left out.
    let text = levels
        .iter()
        .position(|&level| LADDER[usize::from(level)].text == TextRate::Stopped);
    let frames = levels
        .iter()
        .position(|&level| LADDER[usize::from(level)].frame_step > 1);
    assert!(text < frames, "{levels:?}");
    let levels = series.many(80, &quota(0.1));
    assert_eq!(levels.last(), Some(&0), "{levels:?}");
    assert_eq!(levels.iter().filter(|&&level| level == 8).count(), 9);
    assert_eq!(series.machine.reason(), None);
}

/// The belt needs 130 % of its quota: what level holds it, and stays there?
#[test]
fn a_steady_load_finds_its_level_and_keeps_it() {
    let load = |level: u8| {
        let measures = &LADDER[usize::from(level)];
        let text = match measures.text {
            TextRate::Full => 0.3,
            TextRate::Slow => 0.1,
            TextRate::Stopped => 0.0,
        };
        (text + 1.0 / f64::from(measures.frame_step)).min(1.0)
    };
    let mut series = Series::default();
    let mut levels = Vec::new();
    for _ in 0..3600 {
        let level = series.machine.level();
        levels.push(series.one(&quota(load(level))));
    }
    // Every other frame takes half of the quota; all of them would take all.
    assert!(levels[60..].iter().all(|&level| level == 5), "{levels:?}");
}

/// Text takes what brings the quota over its bound, so that each step down is
/// followed by one up: ever less often, and not for ever after.
#[test]
fn relapses_become_rare() {
    let mut series = Series::default();
    let mut ups = Vec::new();
    for second in 0..3600 {
        let before = series.machine.level();
        let used = if before < 3 { 0.97 } else { 0.6 };
        if series.one(&quota(used)) > before {
            ups.push(second);
        }
    }
    let late = ups.iter().filter(|&&at| at >= 1800).count();
    assert!(ups.len() <= 20 && late <= 7, "{ups:?}");
    // A quiet quarter of an hour, and it is quick again.
    series.many(900, &calm());
    assert_eq!(series.machine.level(), 0);
    series.many(2, &quota(1.0));
    assert_eq!(series.machine.level(), 1);
    assert_eq!(series.many(10, &calm()).last(), Some(&0));
}

#[test]
fn between_too_much_and_room_nothing_changes() {
    let mut series = Series::default();
    series.many(4, &quota(1.0));
    assert_eq!(series.machine.level(), 2);
    assert_eq!(series.many(100, &quota(0.9)), [2; 100]);
    // Room must last without a break.
    for _ in 0..10 {
        series.many(9, &calm());
        assert_eq!(series.one(&quota(0.9)), 2);
    }
}

#[test]
fn short_memory_takes_the_models_and_no_frame() {
    let mut series = Series::default();
    let short = |held: f64| Snapshot {
        memory: Some(held),
        ..calm()
    };
    // Nearly gone: a level at each look.
    assert_eq!(series.many(4, &short(0.98)), [1, 2, 3, 4]);
    assert!(series.machine.without_models());
    assert_eq!(
        series.many(50, &short(0.98)),
        [4; 50],
        "frames give none back"
    );
    // 50 % without models that take 40 %: they would not fit.
    assert_eq!(series.many(50, &short(0.5)), [4; 50]);
    assert!(series.machine.without_models());
    // 40 %: they do.
    let levels = series.many(10, &short(0.4));
    assert_eq!(levels.last(), Some(&3));
    assert!(!series.machine.without_models());
    // Frames are left out already, then memory runs short.
    let mut series = Series::default();
    series.many(12, &quota(1.0));
    assert_eq!(series.machine.level(), 6);
    assert_eq!(series.one(&short(0.98)), 6);
    assert!(series.machine.without_models());
}

/// Nothing of a recording is left out but for want of memory.
#[test]
fn a_source_that_waits_is_never_late() {
    let mut series = Series::default();
    let waiting = Snapshot {
        live: false,
        frame_p99: Some(DEADLINE * 9),
        wait_p99: Some(DEADLINE * 9),
        quota_used: Some(1.0),
        dropped: Some(1.0),
        slowed: true,
        ..calm()
    };
    assert_eq!(series.many(30, &waiting), [0; 30]);
    let short = Snapshot {
        memory: Some(0.99),
        ..waiting
    };
    assert_eq!(series.many(10, &short).last(), Some(&TEXT_STOPPED));
}

/// The order of the ladder is the documented one: each level leaves out at least
/// what the one before does.
#[test]
fn every_level_leaves_out_more() {
    for pair in LADDER.windows(2) {
        let [less, more] = pair else { unreachable!() };
        assert!(more.time <= less.time);
        assert!(more.fusion <= less.fusion);
        assert!(more.text as u8 >= less.text as u8);
        assert!(more.frame_step >= less.frame_step);
        assert_ne!(less.words, more.words);
    }
    let stopped = &LADDER[usize::from(TEXT_STOPPED)];
    assert_eq!((stopped.text, stopped.frame_step), (TextRate::Stopped, 1));
}
