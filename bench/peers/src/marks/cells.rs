//! Degraded codes, one fault and one level a cell: what readers read beside what
//! a perfect grid could.

use super::ceiling;
use super::others::Others;
use super::report::{Figure, Report};
use super::row::{Row, head};
use super::specimens::{each, print, start};
use super::{Options, wiener};
use crate::readers::{self, OURS, Wanted};
use beltscan::camera::belt::degrade::{Degradation, Specimen};
use beltscan::camera::picture::Picture;
use beltscan::geometry::Point;

/// Faults and their levels.
const CELLS: &[(&str, &[f32])] = &[
    ("clean", &[0.0]),
    ("motion-4px", &[4.0, 6.0, 8.0, 12.0, 16.0]),
    ("motion-2.5px", &[4.0, 6.0, 8.0]),
    ("glare", &[5.0, 10.0, 15.0, 20.0]),
    ("damage", &[6.0, 10.0, 15.0]),
    ("contrast", &[10.0]),
    ("module", &[1.5, 1.25, 1.1]),
    ("defocus", &[1.5, 2.0, 2.5, 3.0]),
    ("curved", &[30.0, 60.0, 90.0, 120.0]),
    ("shutter", &[5.0, 15.0, 30.0, -30.0]),
    ("shutter-8px", &[5.0, 15.0, 30.0, -30.0]),
];

/// What the numbers behind the names are.
const LEVELS: &str = "motion, defocus, module in px, glare and damage in % of the code, contrast in grey levels, \
     curved in degrees of a cylinder, \
     shutter in ms of readout, with motion of 2 px or 8";

/// What a rolling shutter sees: a frame of so many rows, and a belt so fast, px/s, by
/// which a code has come that far in the readout. With 30 ms it is 105 px over the
/// frame, a skew of 7.5 degrees. A negative readout is a belt that runs the other way.
const ROWS: f32 = 800.0;
const BELT_PX_S: f32 = 3500.0;

/// What one reader made of a cell.
#[derive(Default)]
struct Score {
    codes: usize,
    read: usize,
    wrong: usize,
    ms: Vec<f64>,
}

/// How many codes a perfect grid reads.
#[derive(Clone, Copy, Default)]
struct Ceilings {
    plain: usize,
    /// After undoing a known motion; `None` without motion.
    sharpened: Option<usize>,
}

/// Fills the chosen cells. How many reads of ours were false.
pub fn run(options: &Options, report: &mut Report) -> Result<usize, String> {
    let mut wrong = 0;
    let mut head_is_due = true;
    for (fault, levels) in CELLS {
        for &level in *levels {
            let cell = match *fault {
                "clean" => "clean".to_string(),
                _ => format!("{fault}:{level}"),
            };
            if !options.wants("cells", &cell) {
                continue;
            }
            if head_is_due {
                report.head(
                    &format!("Degraded codes, {} a cell; {LEVELS}", options.count),
                    &head(),
                );
                head_is_due = false;
            }
            wrong += fill(&cell, fault, level, options, report)?;
        }
    }
    Ok(wrong)
}

/// A specimen's degradation in a cell.
fn how(fault: &str, level: f32, seed: u64) -> Degradation {
    let start = start(seed);
    match fault {
        "motion-4px" => Degradation {
            blur_px: level,
            ..start
        },
        "motion-2.5px" => Degradation {
            blur_px: level,
            module_px: 2.5,
            ..start
        },
        "glare" => Degradation {
            glare: level / 100.0,
            ..start
        },
        "damage" => Degradation {
            damage: level / 100.0,
            ..start
        },
        "contrast" => Degradation {
            contrast: level,
            ..start
        },
        "module" => Degradation {
            module_px: level,
            ..start
        },
        "defocus" => Degradation {
            defocus_px: level,
            ..start
        },
        "curved" => Degradation {
            bend_deg: level,
            ..start
        },
        "shutter" | "shutter-8px" => {
            let per_row = level * 1e-3 * BELT_PX_S / ROWS;
            let (sin, cos) = start.blur_deg.to_radians().sin_cos();
            Degradation {
                blur_px: if fault == "shutter" { 2.0 } else { 8.0 },
                per_row: Point::new(cos, sin) * per_row,
                ..start
            }
        }
        _ => start,
    }
}

fn fill(
    cell: &str,
    fault: &str,
    level: f32,
    options: &Options,
    report: &mut Report,
) -> Result<usize, String> {
    let mut readers = readers::all(Wanted::Qr, &options.readers())?;
    let mut scores: Vec<Score> = readers.iter().map(|_| Score::default()).collect();
    let mut others = Others::new(&readers);
    let mut ceilings = Ceilings::default();
    let draw = |seed: u64| {
        let specimen = print(seed).specimen(&how(fault, level, seed));
        let plain = ceiling::readable(&specimen);
        let moved = specimen.motion.length() > 0.0;
        let sharpened = moved.then(|| plain || wiener::readable(&specimen));
        (specimen, plain, sharpened)
    };
    each(
        options.count,
        draw,
        |seed, (specimen, plain, sharpened): (Specimen, bool, Option<bool>)| {
            ceilings.plain += usize::from(plain);
            if let Some(readable) = sharpened {
                *ceilings.sharpened.get_or_insert(0) += usize::from(readable);
            }
            let picture = Picture {
                width: specimen.width,
                height: specimen.height,
                luma: specimen.pixels,
            };
            for turn in 0..readers.len() {
                let at = (turn + seed as usize) % readers.len();
                let (reader, score) = (&mut readers[at], &mut scores[at]);
                let spent_s = score.ms.iter().sum::<f64>() / 1e3;
                if reader.slow() && options.patience > 0.0 && spent_s > options.patience {
                    continue;
                }
                let (reads, took_s) = reader.timed(&picture, !options.wall);
                score.ms.push(took_s * 1e3);
                let right = |read: &&readers::Read| read.text == specimen.text;
                let read = reads.iter().any(|read| right(&read));
                others.saw(reader.name(), read);
                score.codes += 1;
                score.read += usize::from(read);
                score.wrong += reads.iter().filter(|read| !right(read)).count();
            }
            others.next();
            Ok(())
        },
    )?;
    let count = options.count as usize;
    let best = ceilings.sharpened.unwrap_or(ceilings.plain);
    let mut ours_wrong = 0;
    for (reader, score) in readers.iter().zip(&scores) {
        let mut row = Row::new(cell, reader.name(), score.read, score.codes);
        row.left_out = count - score.codes;
        row.wrong = Some(score.wrong);
        row.took(&score.ms);
        if reader.name() == OURS {
            ours_wrong = score.wrong;
            let figure = Figure {
                ceiling: Some(100.0 * best as f64 / count.max(1) as f64),
                ..Figure::share(score.read, score.codes)
            };
            row.goal = report.judge(cell, figure);
        }
        report.line("cells", &row);
    }
    if let Some(row) = others.row(cell, count) {
        report.line("cells", &row);
    }
    let row = Row::new(cell, "(perfect grid)", ceilings.plain, count);
    report.line("cells", &row);
    if let Some(sharpened) = ceilings.sharpened {
        let row = Row::new(cell, "(grid, Wiener)", sharpened, count);
        report.line("cells", &row);
    }
    Ok(ours_wrong)
}
