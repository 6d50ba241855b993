//! Following codes from frame to frame allocates nothing: only a new track, a
//! new text and an event do. Counted, not believed.

#[path = "support/counting.rs"]
mod counting;

use std::time::Duration;

use beltscan::config::{Decide, ItemPlan, Look, NoReadsPlan, TriggerMode};
use beltscan::frame::{Luma, Stamp};
use beltscan::geometry::{Point, Quad};
use beltscan::item::{Seen, Tracker};
use beltscan::qr::{Code, Content, Reason, Sign, Unread};
use counting::{allocations, most_held};

fn square(x: f32, y: f32) -> Quad {
    Quad([
        Point::new(x, y),
        Point::new(x + 60.0, y),
        Point::new(x + 60.0, y + 60.0),
        Point::new(x, y + 60.0),
    ])
}

fn plan() -> ItemPlan {
    ItemPlan {
        group_px: 30.0,
        lost: Duration::from_secs(3),
        decide: Decide::Leave,
        confirm_frames: 2,
        fusion: true,
        look: Look::default(),
        line: 0.5,
        trigger: TriggerMode::Free,
        window: Duration::from_millis(500),
        belt_px_s: None,
        direction_rad: None,
        width: 1280,
        height: 800,
    }
}

fn noreads() -> NoReadsPlan {
    NoReadsPlan {
        publish: true,
        dir: None,
        max_files: 1,
        max_bytes: 1,
        max_age: Duration::from_secs(1),
    }
}

#[test]
fn a_warm_tracker_allocates_nothing() {
    let mut tracker = Tracker::new(&plan(), Vec::new(), &noreads());
    let mut codes: Vec<Code> = (0..12)
        .map(|i| Code {
            content: Content {
                text: format!("code {}", i % 5),
                is_text: true,
                ..Content::default()
            },
            ..Code::default()
        })
        .collect();
    let (mut out, mut hints) = (Vec::new(), Vec::new());
    let mut unread = Vec::new();
    let mut frame = |n: u64, count: &mut usize| {
        // Slowly to the right, with an unread symbol in every third frame; the
        // last third of the frames shows an empty belt.
        for (i, code) in codes.iter_mut().enumerate() {
            let (column, row) = ((i % 4) as f32, (i / 4) as f32);
            code.corners = square(20.0 + column * 200.0 + n as f32 * 0.9, 50.0 + row * 200.0);
            // Better and better, so that the best sight is replaced.
            code.quality.uec = n as f32 * 1e-3;
        }
        unread.clear();
        unread.push(Unread {
            corners: square(900.0 + n as f32 * 0.9, 700.0),
            reason: Reason::Blur,
            agreement: 0.9,
        });
        let stamp = Stamp {
            sequence: n,
            mono_ns: 1 + n * 16_666_667,
            wall_ns: (n * 16_666_667) as i64,
            exposure_us: None,
        };
        let symbols = if n.is_multiple_of(3) {
            &unread[..]
        } else {
            &[]
        };
        let seen = if n < 300 { &codes[..] } else { &[] };
        let before = allocations();
        let seen = Seen {
            codes: seen,
            unread: symbols,
            signs: &[],
        };
        tracker.frame(&stamp, seen, None, &mut out);
        hints.clear();
        tracker.hints(stamp.mono_ns, &mut hints);
        *count += allocations() - before;
    };
    let mut warming = 0;
    (0..60).for_each(|n| frame(n, &mut warming));
    assert!(warming > 0, "the counter counts");
    let mut steady = 0;
    (60..300).for_each(|n| frame(n, &mut steady));
    assert_eq!(steady, 0, "twelve codes followed through 240 frames");
    // They are lost and become events; then an empty belt costs nothing.
    let mut events = 0;
    (300..520).for_each(|n| frame(n, &mut events));
    assert!(events > 0);
    let mut empty = 0;
    (520..700).for_each(|n| frame(n, &mut empty));
    assert_eq!(empty, 0, "an empty belt");
}

#[test]
fn adding_up_frames_allocates_nothing_once_warm() {
    const SIDE: usize = 480;
    let mut random = fastrand::Rng::with_seed(1);
    // Texture that moves to the right, with a sign of a code that is none.
    let texture: Vec<u8> = (0..SIDE * 4 * SIDE).map(|_| random.u8(100..120)).collect();
    let mut tracker = Tracker::new(&plan(), Vec::new(), &noreads());
    let mut out = Vec::new();
    let mut frame = |n: u64| {
        let off = 2 * n as usize % (3 * SIDE);
        let luma = Luma::new(&texture[3 * SIDE - off..], SIDE, SIDE, 4 * SIDE).expect("fits");
        let signs = [Sign {
            centre: Point::new(240.0, 240.0),
            module_px: 3.0,
            roughness: 0.1,
        }];
        let stamp = Stamp {
            sequence: n,
            mono_ns: 1 + n * 16_666_667,
            wall_ns: (n * 16_666_667) as i64,
            exposure_us: None,
        };
        let seen = Seen {
            signs: &signs,
            ..Seen::default()
        };
        let before = allocations();
        tracker.frame(&stamp, seen, Some(luma), &mut out);
        allocations() - before
    };
    let warming: usize = (0..360).map(&mut frame).sum();
    assert!(warming > 0, "something was added up");
    let steady: usize = (360..600).map(&mut frame).sum();
    assert_eq!(steady, 0);
}

/// Most bytes that following `count` things for ninety frames takes, none of which is
/// ever read: texture that moves to the right, turns and grows, with signs of codes on
/// it that are none.
fn held_for(count: usize) -> usize {
    const SIZE: (usize, usize) = (1280, 800);
    let mut random = fastrand::Rng::with_seed(1);
    let texture: Vec<u8> = (0..640 * 640).map(|_| random.u8(60..180)).collect();
    let mut frame = vec![0; SIZE.0 * SIZE.1];
    let mut tracker = Tracker::new(&plan(), Vec::new(), &noreads());
    let mut out = Vec::with_capacity(1 << 10);
    most_held(|| {
        for n in 0..90u64 {
            let (sin, cos) = (0.004 * n as f32).sin_cos();
            let size = 1.0 + 0.002 * n as f32;
            let turned = |x: f32, y: f32| ((x * cos - y * sin) / size, (x * sin + y * cos) / size);
            for (i, light) in frame.iter_mut().enumerate() {
                let (x, y) = ((i % SIZE.0) as f32 - 2.0 * n as f32, (i / SIZE.0) as f32);
                let (u, v) = turned(x, y);
                // Cells of three pixels.
                let cell = |at: f32| (at / 3.0).floor() as i32 as usize % 640;
                *light = texture[cell(v) * 640 + cell(u)];
            }
            let luma = Luma::new(&frame, SIZE.0, SIZE.1, SIZE.0).expect("fits");
            let signs: Vec<Sign> = (0..count)
                .flat_map(|i| {
                    let (x, y) = (
                        100.0 + (i % 8) as f32 * 150.0,
                        90.0 + (i / 8) as f32 * 150.0,
                    );
                    [(0.0, 0.0), (70.0, 0.0), (0.0, 70.0)].map(|(dx, dy)| {
                        let (x, y) = ((x + dx) * size, (y + dy) * size);
                        Sign {
                            centre: Point::new(
                                x * cos + y * sin + 2.0 * n as f32,
                                y * cos - x * sin,
                            ),
                            module_px: 4.5 * size,
                            roughness: 0.1,
                        }
                    })
                })
                .take(64)
                .collect();
            let stamp = Stamp {
                sequence: n,
                mono_ns: 1 + n * 16_666_667,
                wall_ns: (n * 16_666_667) as i64,
                exposure_us: None,
            };
            let seen = Seen {
                signs: &signs,
                ..Seen::default()
            };
            tracker.frame(&stamp, seen, Some(luma), &mut out);
        }
    })
}

/// Frames are added up in so much memory at most, as `beltscan check` has it.
const FUSION_BYTES: usize = 8 << 20;

#[test]
fn adding_up_frames_takes_bounded_memory_however_much_there_is_to_add() {
    let (one, six, many) = (held_for(1), held_for(6), held_for(40));
    println!("bytes held at most: {one} for one thing, {six} for six, {many} for forty");
    assert!(one > 100_000, "{one}: something was added up");
    assert!(many < FUSION_BYTES, "{many}");
    // A canvas has five bytes a pixel, 102 400 of them at most; what is shared comes
    // once.
    assert!(
        six - one.min(six) < 5 * 6 * 102_400 + 100_000,
        "{one} and {six}"
    );
}
