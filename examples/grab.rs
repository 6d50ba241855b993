//! Keeps the camera of a configuration open for some seconds and prints what
//! comes: each change of state, and each frame's stamp, mean and contrast.
//!
//! `cargo run --example grab -- SECONDS '[camera] TOML'`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use beltscan::camera::{Grab, Keeper};
use beltscan::config::{Config, Problems};
use beltscan::frame::Pool;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, toml] = &arguments[..] else {
        eprintln!("usage: grab SECONDS '[camera] TOML'");
        return ExitCode::from(2);
    };
    let (Ok(seconds), Ok(config)) = (seconds.parse(), toml::from_str::<Config>(toml)) else {
        eprintln!("SECONDS is no number, or the TOML is not legal");
        return ExitCode::from(2);
    };
    let mut problems = Problems::default();
    let plan = config.camera.resolve(&mut problems);
    for problem in &problems.0 {
        eprintln!("{}: {}: {}", problem.key, problem.message, problem.cure);
    }
    if !problems.is_empty() {
        return ExitCode::from(78);
    }
    let pool = Pool::new(2, plan.width as usize * plan.height as usize);
    let mut keeper = Keeper::new(plan);
    let end = Instant::now() + Duration::from_secs_f32(seconds);
    let (mut state, mut longest) = (keeper.state().clone(), Duration::ZERO);
    while Instant::now() < end {
        let began = Instant::now();
        let grab = keeper.grab(&pool, Duration::from_millis(100));
        longest = longest.max(began.elapsed());
        match grab {
            Grab::Frame(frame) => {
                let mean = frame.iter().map(|&b| u64::from(b)).sum::<u64>() / frame.len() as u64;
                let (least, most) = (frame.iter().min(), frame.iter().max());
                println!(
                    "frame {} at {} ns, {}x{}, exposure {:?} us, mean {mean}, {:?} to {:?}",
                    frame.stamp.sequence,
                    frame.stamp.mono_ns,
                    frame.width(),
                    frame.height(),
                    frame.stamp.exposure_us,
                    least.unwrap_or(&0),
                    most.unwrap_or(&0)
                );
            }
            Grab::Idle => {}
            Grab::End => break,
        }
        if (keeper.state().up, &keeper.state().fault) != (state.up, &state.fault) {
            println!("state {:?}", keeper.state());
        }
        state = keeper.state().clone();
    }
    println!(
        "{} frames, {} dropped, opened again {} times, longest grab {} ms; {}",
        state.frames,
        state.dropped,
        state.reopened,
        longest.as_millis(),
        state.description
    );
    ExitCode::SUCCESS
}
