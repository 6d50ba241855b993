//! Real pictures, and the frames whose times count.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::compare::{Conditions, measure};
use crate::readers::{self, OURS};
use crate::sets::{self, Set};
use crate::tally::{self, Row, Tally};

use super::Options;
use super::report::{Figure, Report};

/// Drawn sets whose times count.
const TIMED: [&str; 4] = [
    "four-720p",
    "forty-720p",
    "empty-belt-720p",
    "still-belt-720p",
];

/// Reads the chosen sets. How many reads of ours were false.
pub fn run(options: &Options, report: &mut Report) -> Result<usize, String> {
    let drawn = sets::drawn().into_iter();
    let timed = drawn.filter(|set| TIMED.contains(&&*set.name));
    let timed: Vec<Set> = timed
        .filter(|set| options.wants("times", &set.name))
        .collect();
    let real = match &options.corpus {
        Some(folder) => sets::corpus(folder)?,
        None => Vec::new(),
    };
    let real: Vec<Set> = real
        .into_iter()
        .filter(|set| options.wants("pictures", &set.name))
        .collect();
    if options.corpus.is_none() && options.wants("pictures", "boofcv") {
        eprintln!("LEFT OUT: labelled pictures (set BELTSCAN_CORPUS to their folder)");
    }
    let mut wrong = 0;
    for (title, section, sets) in [
        ("Real pictures", "pictures", &real),
        ("Drawn frames of 1280x720", "times", &timed),
    ] {
        if sets.is_empty() {
            continue;
        }
        report.head(title, &tally::head("zxing-cpp"));
        wrong += section_of(sets, section, options, report)?;
    }
    Ok(wrong)
}

/// A reader's sums over the categories of `boofcv`.
struct Sum {
    reader: &'static str,
    all: Tally,
    /// Percent of the codes read, category by category.
    percents: Vec<f64>,
}

/// The mean over categories, each counting alike.
#[derive(Serialize)]
struct Mean {
    set: &'static str,
    reader: &'static str,
    categories: usize,
    percent: f64,
}

impl Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<24}{:<16}{:>12} categories{:>8.1}",
            self.set, self.reader, self.categories, self.percent
        )
    }
}

fn section_of(
    sets: &[Set],
    section: &str,
    options: &Options,
    report: &mut Report,
) -> Result<usize, String> {
    let conditions = Conditions {
        rounds: options.rounds,
        cpu: !options.wall,
        patience: options.patience,
        diff: false,
    };
    let mut sums: Vec<Sum> = Vec::new();
    let mut wrong = 0;
    for set in sets {
        let mut readers = readers::all(set.wanted, &options.readers())?;
        for (reader, tally) in measure(set, &mut readers, &conditions)? {
            let ours = reader == OURS;
            let row = tally.row(&set.name, reader, set.len);
            report.line(section, &row);
            if ours {
                wrong += tally.score.wrong;
                judge(set, section, &tally, &row, report);
            }
            if set.name.starts_with("boofcv/") {
                let at = match sums.iter().position(|sum| sum.reader == reader) {
                    Some(at) => at,
                    None => {
                        sums.push(Sum {
                            reader,
                            all: Tally::default(),
                            percents: Vec::new(),
                        });
                        sums.len() - 1
                    }
                };
                sums[at].percents.push(tally.percent());
                sums[at].all.join(tally);
            }
        }
    }
    let pictures = sums.first().map_or(0, |sum| sum.all.pictures);
    for Sum {
        reader,
        all,
        percents,
    } in &sums
    {
        let mean = percents.iter().sum::<f64>() / percents.len().max(1) as f64;
        report.line(section, &all.row("boofcv, all", reader, pictures));
        let row = Mean {
            set: "boofcv, mean",
            reader,
            categories: percents.len(),
            percent: mean,
        };
        report.line(section, &row);
        if *reader == OURS {
            report.judge("boofcv", Figure::share(all.score.read, all.codes));
            report.judge("boofcv-mean", Figure::plain(mean));
        }
    }
    Ok(wrong)
}

fn judge(set: &Set, section: &str, tally: &Tally, row: &Row, report: &mut Report) {
    if section == "times" {
        report.judge(&format!("time:{}", set.name), Figure::plain(row.ratio()));
        let share = Figure::share(tally.score.read, tally.codes);
        report.judge(&format!("read:{}", set.name), share);
    } else if !set.name.contains('/') {
        report.judge(&set.name, Figure::share(tally.score.read, tally.codes));
    }
}
