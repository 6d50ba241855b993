//! The sets of pictures, read by every reader, and the table of them.

use std::path::PathBuf;

use clap::Args;

use crate::readers::{self, OTHERS, OURS, Read, Reader};
use crate::sets::{self, Set, Truth};
use crate::statistics::quantile;
use crate::tally::{self, Score, Tally};

/// What is compared, and how.
#[derive(Args)]
pub struct Comparison {
    /// Only sets whose name starts with one of these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these readers (zxing-cpp always runs: the ratios need it).
    #[arg(long, value_delimiter = ',')]
    readers: Vec<String>,
    /// Folder with labelled pictures.
    #[arg(long, env = "BELTSCAN_CORPUS")]
    corpus: Option<PathBuf>,
    #[command(flatten)]
    conditions: Conditions,
    /// JSON lines instead of the table.
    #[arg(long)]
    json: bool,
}

/// How readers are measured.
#[derive(Args, Clone)]
pub struct Conditions {
    /// How often each reader reads each picture.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Time by the processor time of the thread instead of the clock on the wall:
    /// what a busy machine gives to others does not count.
    #[arg(long)]
    pub cpu: bool,
    /// Slow readers give a set up after this many seconds; what they did not
    /// see is told as left out. 0: never.
    #[arg(long, default_value_t = 10.0)]
    pub patience: f64,
    /// Name the pictures where a reader reads fewer codes than zxing-cpp, or
    /// reads something false.
    #[arg(long)]
    pub diff: bool,
}

/// Lets the chosen readers read the chosen sets and prints the table.
pub fn run(args: &Comparison) -> Result<(), String> {
    let mut all = sets::drawn();
    match &args.corpus {
        Some(folder) => all.extend(sets::corpus(folder)?),
        None => eprintln!("LEFT OUT: labelled pictures (set BELTSCAN_CORPUS to their folder)"),
    }
    let chosen: Vec<Set> = all
        .into_iter()
        .filter(|set| {
            args.only.is_empty() || args.only.iter().any(|only| set.name.starts_with(only))
        })
        .collect();
    if chosen.is_empty() {
        return Err("no set has such a name; see --help".into());
    }
    let mut totals: Vec<(&str, Tally)> = Vec::new();
    let mut head_is_due = !args.json;
    for set in &chosen {
        let mut readers = readers::all(set.wanted, &args.readers)?;
        if head_is_due {
            println!("{}", tally::head(readers[0].name()));
            head_is_due = false;
        }
        for (reader, tally) in measure(set, &mut readers, &args.conditions)? {
            show(args, &tally.row(&set.name, reader, set.len));
            if set.name.starts_with("boofcv/") {
                total(&mut totals, reader, tally);
            }
        }
    }
    for (reader, tally) in &totals {
        show(args, &tally.row("boofcv, all", reader, tally.pictures));
    }
    Ok(())
}

fn show(args: &Comparison, row: &tally::Row) {
    if args.json {
        println!("{}", serde_json::to_string(row).unwrap_or_default());
    } else {
        println!("{row}");
    }
}

fn total(totals: &mut Vec<(&'static str, Tally)>, reader: &'static str, tally: Tally) {
    let index = match totals.iter().position(|&(name, _)| name == reader) {
        Some(known) => known,
        None => {
            totals.push((reader, Tally::default()));
            totals.len() - 1
        }
    };
    totals[index].1.join(tally);
}

/// Lets every reader read every picture of `set`. What each made of it, by name; of
/// several others there is also what they made of it together ([`OTHERS`]).
pub fn measure(
    set: &Set,
    readers: &mut [Box<dyn Reader>],
    conditions: &Conditions,
) -> Result<Vec<(&'static str, Tally)>, String> {
    let mut tallies: Vec<Tally> = readers.iter().map(|_| Tally::default()).collect();
    let mut together = Tally::default();
    let others = readers
        .iter()
        .filter(|reader| reader.name() != OURS)
        .count();
    let mut spent_s = vec![0.0; readers.len()];
    for index in 0..set.len {
        let (name, picture, truth) = set.picture(index)?;
        let mut scores: Vec<Option<Score>> = vec![None; readers.len()];
        let mut ms: Vec<Vec<f64>> = vec![Vec::new(); readers.len()];
        let mut of_others: Vec<Read> = Vec::new();
        for round in 0..conditions.rounds as usize {
            for turn in 0..readers.len() {
                let at = (turn + round + index) % readers.len();
                let reader = &mut readers[at];
                let gives_up = conditions.patience > 0.0 && spent_s[at] > conditions.patience;
                if reader.slow() && (round > 0 || gives_up) {
                    continue;
                }
                if index == 0 && round == 0 && !reader.slow() {
                    // Its memory and its code are warm before it is timed.
                    reader.read(&picture);
                }
                let (reads, took_s) = reader.timed(&picture, conditions.cpu);
                ms[at].push(took_s * 1e3);
                spent_s[at] += took_s;
                if scores[at].is_none() {
                    let score = Score::of(&truth, &reads);
                    if conditions.diff && matches!(truth, Truth::Texts { .. }) {
                        for read in reads.iter().filter(|read| !truth.allows(&read.text)) {
                            let (reader, Read { text, centre }) = (reader.name(), read);
                            let (x, y) = (centre.x, centre.y);
                            eprintln!("{}/{name}: {reader} reads {text:?} at {x} {y}", set.name);
                        }
                    }
                    scores[at] = Some(score);
                    if reader.name() != OURS {
                        of_others.extend(reads);
                    }
                }
            }
        }
        if scores.iter().all(Option::is_some) {
            together.add_reads(truth.codes(), Score::of(&truth, &of_others).read);
        }
        let base_ms = quantile(&ms[0], 0.5);
        for (at, score) in scores.iter().enumerate() {
            let Some(score) = score else { continue };
            let median = quantile(&ms[at], 0.5);
            tallies[at].add(truth.codes(), *score, median, base_ms);
            if let Some(base) = scores[0].filter(|base| conditions.diff && score.read < base.read) {
                eprintln!(
                    "{}/{name}: {} {} of {}, {} {}",
                    set.name,
                    readers[at].name(),
                    score.read,
                    truth.codes(),
                    readers[0].name(),
                    base.read
                );
            }
        }
    }
    let names = readers.iter().map(|reader| reader.name());
    let mut all: Vec<(&'static str, Tally)> = names.zip(tallies).collect();
    if others > 1 {
        all.push((OTHERS, together));
    }
    Ok(all)
}
