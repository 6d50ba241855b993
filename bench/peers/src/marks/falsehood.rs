//! False reads: small frames in which nothing can be read, by the million if need
//! be. Frames without any code, and codes of which too little is left.
//!
//! The only part that uses more than one thread while it reads: it counts, and
//! times nothing but the whole.

use std::fmt::{self, Display};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use beltscan::camera::picture::Picture;
use beltscan::qr::{Reader, ReaderOptions, Reads};
use fastrand::Rng;
use serde::Serialize;

use super::Options;
use super::clutter::{Clutter, destroyed, piece};
use super::report::Report;
use crate::sets::{self, Truth};

/// Side of a frame, px: so small that a million are feasible.
const SIDE: usize = 160;
/// Threads.
const THREADS: u64 = 2;
/// For so many frames without a code there is one with a code destroyed.
const SPOILT: u64 = 10;
/// False reads that are told in full.
const TOLD: usize = 20;

/// What came of one kind of frames.
#[derive(Serialize)]
struct Row {
    frames: &'static str,
    count: u64,
    #[serde(rename = "false")]
    wrong: u64,
    /// With 95 % confidence there are no more in a million: the rule of three
    /// where there was none.
    at_most_in_a_million: f64,
    a_second: f64,
}

/// Reads as many as chosen. How many reads were false.
pub fn run(options: &Options, report: &mut Report) -> Result<usize, String> {
    if options.false_reads == 0 || !options.wants("falsehood", "false-reads") {
        return Ok(0);
    }
    let blank = blank_pictures(options)?;
    report.head(
        &format!("False reads, frames of {SIDE} by {SIDE}, {THREADS} threads, beltscan"),
        &format!(
            "{:<18}{:>10}{:>7}{:>20}{:>12}",
            "frames", "count", "false", "at most in 10^6", "a second"
        ),
    );
    let (from, count) = (options.false_reads_from, options.false_reads);
    let without = |seed: u64, rng: &mut Rng| {
        let kinds = Clutter::ALL.len() + usize::from(!blank.is_empty());
        match Clutter::ALL.get(seed as usize % kinds) {
            Some(clutter) => (clutter.frame(SIDE, SIDE, seed), None),
            None => (piece(&blank[rng.usize(..blank.len())], SIDE, rng), None),
        }
    };
    let spoilt = |seed: u64, _: &mut Rng| {
        let (frame, text) = destroyed(SIDE, seed);
        (frame, Some(text))
    };
    let mut wrong = 0;
    for (name, seeds, draw) in [
        ("without a code", from..from + count, &without as &Draw<'_>),
        (
            "codes destroyed",
            from / SPOILT..(from + count).div_ceil(SPOILT),
            &spoilt,
        ),
    ] {
        let row = read(name, seeds, draw);
        wrong += row.wrong as usize;
        report.line("falsehood", &row);
    }
    Ok(wrong)
}

/// Draws frame number so: the frame, and the one text that may be read.
type Draw<'a> = dyn Fn(u64, &mut Rng) -> (Picture, Option<String>) + Sync + 'a;

/// Pictures in which nothing may be read.
fn blank_pictures(options: &Options) -> Result<Vec<Picture>, String> {
    let Some(folder) = &options.corpus else {
        return Ok(Vec::new());
    };
    let mut blank = Vec::new();
    for set in sets::corpus(folder)? {
        if set.name != "falsepos" {
            continue;
        }
        for index in 0..set.len {
            let (_, picture, truth) = set.picture(index)?;
            if matches!(&truth, Truth::Texts { .. }) && truth.codes() == 0 {
                blank.push(picture);
            }
        }
    }
    Ok(blank)
}

fn read(name: &'static str, seeds: Range<u64>, draw: &Draw<'_>) -> Row {
    let count = seeds.end - seeds.start;
    let wrong = AtomicU64::new(0);
    let told = Mutex::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (wrong, told, seeds) = (&wrong, &told, seeds.clone());
            scope.spawn(move || {
                let mut reader = Reader::new(ReaderOptions::default());
                let mut reads = Reads::default();
                for seed in (seeds.start + thread..seeds.end).step_by(THREADS as usize) {
                    let mut rng = Rng::with_seed(seed ^ 0xFA15E);
                    let (frame, text) = draw(seed, &mut rng);
                    reader.read(frame.view(), &[], &mut reads);
                    for code in reads.codes.iter() {
                        let content = &code.content;
                        if content.is_text && Some(&content.text) == text.as_ref() {
                            continue;
                        }
                        wrong.fetch_add(1, Ordering::Relaxed);
                        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                        if *told < TOLD {
                            *told += 1;
                            eprintln!("FALSE: {name} #{seed}: {:?} {content:?}", code.symbology);
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner();
    let frames = count.max(1) as f64;
    // Poisson: three where none was seen, about n + 2 sqrt(n) + 2 beyond.
    let seen = wrong as f64;
    let most = if wrong == 0 {
        3.0
    } else {
        seen + 2.0 * seen.sqrt() + 2.0
    };
    Row {
        frames: name,
        count,
        wrong,
        at_most_in_a_million: 1e6 * most / frames,
        a_second: frames / begun.elapsed().as_secs_f64(),
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<18}{:>10}{:>7}{:>20.2}{:>12.0}",
            self.frames, self.count, self.wrong, self.at_most_in_a_million, self.a_second
        )
    }
}
