//! Codes that slide under a highlight that stays: ten frames a track. What readers
//! read in any frame, what ours makes of the frames together, and what a perfect
//! grid could read in the best frame and in all of them.

use beltscan::camera::belt::degrade::{Degradation, Specimen};
use beltscan::camera::picture::Picture;
use beltscan::config::{Config, Decide, ItemPlan, NoReadsPlan, TriggerMode};
use beltscan::frame::{Luma, Stamp};
use beltscan::item::Event;
use beltscan::pipeline::Sequence;
use beltscan::qr::ReaderOptions;
use fastrand::Rng;

use super::Options;
use super::ceiling::{self, Grid};
use super::others::Others;
use super::report::{Figure, Report};
use super::row::{Row, head};
use super::specimens::{each, print, start};
use crate::clock::now_s;
use crate::readers::{self, OURS, Wanted};

/// Frames of a track.
const FRAMES: usize = 10;
/// Frames a second, as `beltscan read --sequence` takes them to be.
const FPS: f64 = 30.0;
/// Way from frame to frame, px.
const STEPS: std::ops::RangeInclusive<f32> = 12.0..=40.0;

/// What the codes of a cell slide under.
struct Cell {
    name: &'static str,
    /// Share of the code under a highlight, where one is in its middle.
    glare: f32,
    /// Blur along the way, px.
    blur: f32,
    /// A row of lamps instead of one: no frame is free of them.
    row: bool,
}

/// One lamp leaves the code clear at either end of its way. Under a row of them
/// no frame is clear; there zxing-cpp reads a fifth of the tracks in some frame,
/// and a twelfth with the blur, while the frames together show every module.
const CELLS: [Cell; 4] = [
    Cell {
        name: "track:lamp",
        glare: 0.5,
        blur: 0.0,
        row: false,
    },
    Cell {
        name: "track:lamp+blur",
        glare: 0.5,
        blur: 6.0,
        row: false,
    },
    Cell {
        name: "track:lamps",
        glare: 0.2,
        blur: 0.0,
        row: true,
    },
    Cell {
        name: "track:lamps+blur",
        glare: 0.2,
        blur: 6.0,
        row: true,
    },
];

/// What a reader read of the tracks.
#[derive(Default)]
struct Score {
    tracks: usize,
    read: usize,
    wrong: usize,
    ms: Vec<f64>,
}

/// A drawn track and what a perfect grid could read of it.
struct Track {
    frames: Vec<Specimen>,
    step: f32,
    single: bool,
    fused: bool,
}

/// Fills the chosen cells. How many reads of ours were false.
pub fn run(options: &Options, report: &mut Report) -> Result<usize, String> {
    let mut wrong = 0;
    let wanted = |cell: &&Cell| options.wants("tracks", cell.name);
    for (index, cell) in CELLS.iter().filter(wanted).enumerate() {
        if index == 0 {
            report.head(
                &format!(
                    "Tracks of {FRAMES} frames, {} a cell, {} to {} px a frame",
                    options.tracks,
                    STEPS.start(),
                    STEPS.end()
                ),
                &head(),
            );
        }
        wrong += fill(cell, options, report)?;
    }
    Ok(wrong)
}

fn draw(seed: u64, cell: &Cell) -> Track {
    let mut rng = Rng::with_seed(seed ^ 0x57E9);
    let step = STEPS.start() + rng.f32() * (STEPS.end() - STEPS.start());
    let how = Degradation {
        glare: cell.glare,
        blur_px: cell.blur,
        blur_deg: 0.0,
        ..start(seed)
    };
    let print = print(seed);
    let frames = if cell.row {
        print.track_under_row(&how, FRAMES, step)
    } else {
        print.track(&how, FRAMES, step)
    };
    Track {
        single: frames.iter().any(ceiling::readable),
        fused: fused(&frames),
        frames,
        step,
    }
}

/// Could the code be read from all frames together, laid over each other without
/// fault, what is saturated being missing? By the darkest value or the mean of
/// each module, or by adding up how far each frame is from its local threshold.
fn fused(frames: &[Specimen]) -> bool {
    let Some(grid) = frames.first().and_then(Grid::new) else {
        return false;
    };
    let modules = frames[0].modules.len();
    let mut darkest: Vec<Option<f32>> = vec![None; modules];
    let mut votes: Vec<Option<f32>> = vec![None; modules];
    let mut sums = vec![(0.0, 0); modules];
    for frame in frames {
        let Some(grid) = Grid::new(frame) else {
            continue;
        };
        let values = grid.sample(&ceiling::plane(frame));
        let thresholds = grid.local(&values);
        for (module, value) in values.iter().enumerate() {
            let Some(value) = *value else { continue };
            let dark = darkest[module].get_or_insert(value);
            *dark = dark.min(value);
            *votes[module].get_or_insert(0.0) += thresholds[module] - value;
            sums[module].0 += value;
            sums[module].1 += 1;
        }
    }
    let means: Vec<Option<f32>> = sums
        .into_iter()
        .map(|(sum, count)| (count > 0).then(|| sum / count as f32))
        .collect();
    let voted: Vec<Option<bool>> = votes
        .into_iter()
        .map(|vote| vote.map(|v| v > 0.0))
        .collect();
    grid.readable(&darkest) || grid.readable(&means) || grid.correctable(&voted)
}

fn fill(cell: &Cell, options: &Options, report: &mut Report) -> Result<usize, String> {
    let mut readers = readers::all(Wanted::Qr, &options.readers())?;
    let mut scores: Vec<Score> = readers.iter().map(|_| Score::default()).collect();
    let mut others = Others::new(&readers);
    let mut follower = Follower::new()?;
    let mut followed = Score::default();
    let (mut single, mut all) = (0, 0);
    each(
        options.tracks,
        |seed| draw(seed, cell),
        |_, mut track: Track| {
            single += usize::from(track.single);
            all += usize::from(track.fused);
            follower.follow(&track, cell.blur, !options.wall, &mut followed);
            let text = track.frames[0].text.clone();
            let pictures: Vec<Picture> = track
                .frames
                .iter_mut()
                .map(|frame| Picture {
                    luma: std::mem::take(&mut frame.pixels),
                    width: frame.width,
                    height: frame.height,
                })
                .collect();
            for (reader, score) in readers.iter_mut().zip(&mut scores) {
                let spent_s = score.ms.iter().sum::<f64>() / 1e3;
                if reader.slow() && options.patience > 0.0 && spent_s > options.patience {
                    continue;
                }
                let mut read = false;
                for picture in &pictures {
                    let (reads, took_s) = reader.timed(picture, !options.wall);
                    score.ms.push(took_s * 1e3);
                    read |= reads.iter().any(|read| read.text == text);
                    score.wrong += reads.iter().filter(|read| read.text != text).count();
                }
                others.saw(reader.name(), read);
                score.tracks += 1;
                score.read += usize::from(read);
            }
            others.next();
            Ok(())
        },
    )?;
    let count = options.tracks as usize;
    let cell = cell.name;
    for (reader, score) in readers.iter().zip(&scores) {
        report.line("tracks", &row(cell, reader.name(), score, count));
    }
    if let Some(row) = others.row(cell, count) {
        report.line("tracks", &row);
    }
    let mut ours = row(cell, "beltscan, items", &followed, count);
    let figure = Figure {
        ceiling: Some(100.0 * all as f64 / count.max(1) as f64),
        ..Figure::share(followed.read, followed.tracks)
    };
    ours.goal = report.judge(cell, figure);
    report.line("tracks", &ours);
    report.line("tracks", &Row::new(cell, "(best frame)", single, count));
    report.line("tracks", &Row::new(cell, "(all frames)", all, count));
    let alone = readers.iter().zip(&scores);
    let alone = alone.filter(|(reader, _)| reader.name() == OURS);
    Ok(followed.wrong + alone.map(|(_, score)| score.wrong).sum::<usize>())
}

fn row(cell: &str, reader: &str, score: &Score, count: usize) -> Row {
    let mut row = Row::new(cell, reader, score.read, score.tracks);
    row.left_out = count - score.tracks;
    row.wrong = Some(score.wrong);
    row.took(&score.ms);
    row
}

/// Our reader and tracker, as `beltscan read --sequence` has them.
struct Follower {
    plan: ItemPlan,
    noreads: NoReadsPlan,
    events: Vec<Event>,
}

impl Follower {
    fn new() -> Result<Self, String> {
        let plan = Config::default()
            .plan()
            .map_err(|problems| problems.to_string())?;
        Ok(Self {
            plan: ItemPlan {
                decide: Decide::Leave,
                trigger: TriggerMode::Free,
                ..plan.item
            },
            noreads: NoReadsPlan {
                publish: true,
                dir: None,
                ..plan.noread
            },
            events: Vec::new(),
        })
    }

    /// Counts the track as read if any frame or any item says its text.
    fn follow(&mut self, track: &Track, blur: f32, cpu: bool, score: &mut Score) {
        let Some(first) = track.frames.first() else {
            return;
        };
        let (options, noreads) = (ReaderOptions::default(), self.noreads.clone());
        let mut sequence = Sequence::new(options, self.plan.clone(), Vec::new(), noreads);
        self.events.clear();
        let exposed_s = f64::from(blur / track.step) / FPS;
        let mut texts: Vec<String> = Vec::new();
        for (index, frame) in track.frames.iter().enumerate() {
            let size = (frame.width, frame.height);
            let Some(luma) = Luma::new(&frame.pixels, size.0, size.1, size.0) else {
                continue;
            };
            let ns = ((index + 1) as f64 * 1e9 / FPS) as u64;
            let stamp = Stamp {
                sequence: index as u64,
                mono_ns: ns,
                wall_ns: ns as i64,
                exposure_us: (blur > 0.0).then_some((exposed_s * 1e6) as u32),
            };
            let begun = now_s(cpu);
            sequence.frame(&stamp, luma, &mut self.events);
            score.ms.push((now_s(cpu) - begun) * 1e3);
            let codes = &sequence.reads().codes;
            texts.extend(codes.iter().map(|code| code.content.text.clone()));
        }
        sequence.end(&mut self.events);
        let told = self.events.iter().flat_map(|event| &event.codes);
        texts.extend(told.filter_map(|code| code.text.clone()));
        score.tracks += 1;
        score.read += usize::from(texts.contains(&first.text));
        score.wrong += texts.iter().filter(|text| **text != first.text).count();
    }
}
