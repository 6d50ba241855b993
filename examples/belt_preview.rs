//! Draws frames of the synthetic belt as PNG files, with the truth's corners
//! marked, so that one can look at them:
//! `cargo run --example belt_preview -- DIR [EVERY] [COUNT]`.

use std::time::Duration;

use beltscan::camera::belt::{BeltScript, ScriptedItem, ScriptedLabel};
use beltscan::camera::{Grab, Source, belt::Belt};
use beltscan::config::{BeltSourcePlan, CameraPlan, Focus, SourcePlan};
use beltscan::frame::Pool;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("where to?")?;
    let every: u64 = arguments.next().map_or(Ok(15), |n| n.parse())?;
    let count: u64 = arguments.next().map_or(Ok(8), |n| n.parse())?;
    let plan = BeltSourcePlan {
        real_time: false,
        ..BeltSourcePlan::default()
    };
    let camera = CameraPlan {
        source: SourcePlan::Belt(plan.clone()),
        width: 1280,
        height: 800,
        fps: 60.0,
        exposure_us: Some(500),
        exposure_bracket: None,
        gain: None,
        focus: Focus::Leave,
        timeout: Duration::from_secs(2),
    };
    let scripted = BeltScript::new()
        .item(
            ScriptedItem::boxed("TWO LABELS, FIRST").label(ScriptedLabel {
                at_mm: (30.0, 30.0),
                turn_deg: 30.0,
                module_mm: 0.6,
                ..ScriptedLabel::new("TWO LABELS, SECOND")
            }),
        )
        .equal_labels("EQUAL", 3, 30.0, 0.7)
        .cover(1, Duration::from_millis(250), Duration::from_secs(1));
    for (name, script) in [("plain", BeltScript::new()), ("script", scripted)] {
        let belt = Belt::new(&camera, &plan, script)?;
        let truth = belt.truth();
        let mut source = belt.open()?;
        let pool = Pool::new(1, 1280 * 800);
        let mut spent = Duration::ZERO;
        for number in 0..every * count {
            let begun = std::time::Instant::now();
            let Grab::Frame(frame) = source.grab(&pool, Duration::from_secs(1))? else {
                break;
            };
            spent += begun.elapsed();
            if number % every != every - 1 {
                continue;
            }
            let mut picture = image::GrayImage::from_raw(1280, 800, frame.to_vec())
                .ok_or("a frame has its size")?;
            for code in truth.codes_in_view(frame.stamp.mono_ns) {
                println!("{name} {number}: {code:?}");
                for corner in code.corners.0 {
                    let (x, y) = (corner.x as i64, corner.y as i64);
                    for d in -4..=4 {
                        for (x, y) in [(x + d, y), (x, y + d)] {
                            if (0..1280).contains(&x) && (0..800).contains(&y) {
                                let mark = if d % 2 == 0 { 255 } else { 0 };
                                picture.put_pixel(x as u32, y as u32, image::Luma([mark]));
                            }
                        }
                    }
                }
            }
            picture.save(format!("{folder}/{name}-{number:04}.png"))?;
        }
        println!(
            "{name}: {:.2} ms a frame",
            spent.as_secs_f64() * 1e3 / (every * count) as f64
        );
    }
    Ok(())
}
