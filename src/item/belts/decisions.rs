//! When an item is decided, what belongs to it, and what a trigger window makes of it.

use super::*;

#[test]
fn decided_at_the_line_and_when_leaving() {
    let mut belt = Belt::new(1000.0).lasting(3.0).label("X", 0.0);
    belt.plan.decide = Decide::Line;
    belt.plan.line = 0.75;
    let outcome = belt.run();
    outcome.once_each();
    let decided = (outcome.events[0].decided_wall_ns - EPOCH_NS) as f64 * 1e-9;
    assert!((0.95..1.0).contains(&decided), "960 px: {decided}");

    let mut belt = Belt::new(1000.0).lasting(3.0).label("X", 0.0);
    belt.plan.decide = Decide::Leave;
    let outcome = belt.run();
    outcome.once_each();
    let decided = (outcome.events[0].decided_wall_ns - EPOCH_NS) as f64 * 1e-9;
    assert!((1.3..1.4).contains(&decided), "1310 px: {decided}");
    assert!(outcome.events[0].track.votes > 70);
}

#[test]
fn codes_that_move_together_are_one_item_in_reading_order() {
    for miss in [0.0, 0.5] {
        let mut belt = Belt::new(1500.0).lasting(5.0);
        belt.plan.group_px = 60.0;
        belt.miss = miss;
        for box_ in 0..5 {
            let ahead = 700.0 * box_ as f32;
            for (name, dx, dy) in [("c", 0.0, 100.0), ("b", 0.0, 0.0), ("a", 100.0, 0.0)] {
                belt = belt.label(&format!("{box_}{name}"), ahead + dx);
                let last = belt.labels.len() - 1;
                belt.labels[last].aside = dy;
            }
        }
        let outcome = belt.run();
        outcome.once_each();
        assert_eq!(outcome.events.len(), 5);
        for (i, event) in outcome.events.iter().enumerate() {
            let texts: Vec<_> = event
                .codes
                .iter()
                .map(|c| c.text.clone().unwrap_or_default())
                .collect();
            assert_eq!(texts, [format!("{i}a"), format!("{i}b"), format!("{i}c")]);
        }
    }
}

#[test]
fn a_window_collects_what_is_seen_while_it_is_open() {
    let mut belt = Belt::new(0.0);
    belt.plan.trigger = TriggerMode::Window;
    let mut tracker = tracker(&belt.plan);
    let mut out = Vec::new();
    let frame = |n: u64, codes: &[Code], tracker: &mut Tracker, out: &mut Vec<Event>| {
        let stamp = Stamp {
            sequence: n,
            mono_ns: n * 10_000_000,
            wall_ns: EPOCH_NS + (n * 10_000_000) as i64,
            exposure_us: None,
        };
        tracker.frame(&stamp, seen(codes, &[]), None, out);
    };
    let at = |x: f32| square(Point::new(x, 400.0), 60.0, 0.0);
    let two = [code("A", at(300.0)), code("A", at(600.0))];
    for n in 1..10 {
        frame(n, &two, &mut tracker, &mut out);
    }
    assert!(out.is_empty(), "nothing is published between windows");
    tracker
        .open_window(100_000_000, EPOCH_NS, Some("r1".into()))
        .expect("window mode");
    for n in 10..60 {
        frame(n, &two, &mut tracker, &mut out);
    }
    assert!(out.is_empty(), "published at the window's end");
    frame(60, &two, &mut tracker, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].codes.len(), 2);
    assert_eq!(
        out[0].trigger,
        crate::item::Trigger::Window {
            request_id: Some("r1".into())
        }
    );
    // A window of nothing, ended by the next trigger; that one by time alone.
    tracker
        .open_window(700_000_000, EPOCH_NS, Some("r2".into()))
        .expect("window mode");
    for n in 70..80 {
        frame(n, &[], &mut tracker, &mut out);
    }
    tracker
        .open_window(800_000_000, EPOCH_NS, None)
        .expect("window mode");
    frame(80, &[], &mut tracker, &mut out);
    assert_eq!(out.len(), 2);
    assert_eq!(
        out[1].noread.as_ref().map(|n| n.failure.reason),
        Some("no_code")
    );
    tracker.tick(1_299_000_000, EPOCH_NS, &mut out);
    assert_eq!(out.len(), 2, "frames may still be on their way");
    tracker.tick(1_600_000_000, EPOCH_NS, &mut out);
    assert_eq!(out.len(), 3);
    assert!(tracker.tracks().count() == 0);
}

#[test]
fn a_noread_comes_with_a_crop_and_an_empty_window_with_its_frame() {
    let dir = tempfile::tempdir().expect("a folder");
    let kept = NoReadsPlan {
        dir: Some(dir.path().to_path_buf()),
        ..noreads()
    };
    let pixels = vec![90; 1280 * 800];
    let luma = Luma::new(&pixels, 1280, 800, 1280).expect("fits");
    for trigger in [TriggerMode::Free, TriggerMode::Window] {
        let plan = ItemPlan { trigger, ..plan() };
        let mut tracker = Tracker::new(&plan, Vec::new(), &kept);
        let mut out = Vec::new();
        let _ = tracker.open_window(0, EPOCH_NS, None);
        for n in 0..60u64 {
            let stamp = Stamp {
                sequence: n,
                mono_ns: n * 16_666_667,
                wall_ns: EPOCH_NS + (n * 16_666_667) as i64,
                exposure_us: None,
            };
            let unread = [Unread {
                corners: square(Point::new(40.0 * n as f32, 400.0), 60.0, 0.0),
                reason: Reason::Glare,
                agreement: 0.9,
            }];
            tracker.frame(
                &stamp,
                seen(&[], &unread[..usize::from(n < 33)]),
                Some(luma),
                &mut out,
            );
        }
        assert_eq!(out.len(), 1);
        assert_eq!(
            out[0].noread.as_ref().map(|n| n.failure.reason),
            Some("glare")
        );
        let name = out[0].image.as_deref().expect("a picture was saved");
        let (width, height) = image::image_dimensions(dir.path().join(name)).expect("a picture");
        match trigger {
            TriggerMode::Free => assert_eq!((width, height), (120, 120)),
            TriggerMode::Window => assert_eq!((width, height), (1280, 800)),
        }
    }
}

#[test]
fn triggers_are_refused_in_free_mode() {
    let mut tracker = tracker(&plan());
    assert!(tracker.open_window(1, 1, None).is_err());
}
