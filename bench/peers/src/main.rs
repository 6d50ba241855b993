//! Beltscan beside other QR readers: the same pictures, in one run, in one thread.
//!
//! Every picture is read by all readers before the next one is loaded, in an
//! order that turns from round to round, so that whatever else the machine does
//! hits all of them alike. A time is from luma plane to texts, by the clock on the
//! wall or (`--cpu`) by the thread's own processor time; for each picture the median
//! of the rounds counts. Ratios are of medians over the very same
//! pictures.

mod ours;
mod readers;
mod sets;
mod synthetic;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;

use clap::Parser;

use readers::{Read, Reader};
use sets::{Set, Truth};
use tally::{Score, Tally};

/// Compares Beltscan with other QR readers on the same pictures, in one thread.
///
/// Sets: clean-1-to-40, four-720p, forty-720p, empty-flat, empty-belt (drawn from
/// seeds), and with BELTSCAN_CORPUS every folder of labelled pictures in it.
/// False: a text that is in none of the picture's codes. Stray: a read outside
/// every labelled place where texts are unknown. Double: one code twice.
#[derive(Parser)]
struct Args {
    /// Only sets whose name starts with one of these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these readers (zxing-cpp always runs: the ratios need it).
    #[arg(long, value_delimiter = ',')]
    readers: Vec<String>,
    /// Folder with labelled pictures.
    #[arg(long, env = "BELTSCAN_CORPUS")]
    corpus: Option<PathBuf>,
    /// How often each reader reads each picture.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Time by the processor time of the thread instead of the clock on the wall:
    /// what a busy machine gives to others does not count.
    #[arg(long)]
    cpu: bool,
    /// Slow readers give a set up after this many seconds; what they did not
    /// see is told as left out. 0: never.
    #[arg(long, default_value_t = 10.0)]
    patience: f64,
    /// Name the pictures where a reader reads fewer codes than zxing-cpp, or
    /// reads something false.
    #[arg(long)]
    diff: bool,
    /// JSON lines instead of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("beltscan-peers: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    // Readers that panic are caught, and counted as having read nothing; what
    // they say meanwhile is not for the table.
    std::panic::set_hook(Box::new(|_| {}));
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
    let mut totals: Vec<(String, Tally)> = Vec::new();
    let mut head_is_due = !args.json;
    for set in &chosen {
        let mut readers = readers::all(set.wanted, &args.readers);
        if head_is_due {
            println!("{}", tally::head(readers[0].name()));
            head_is_due = false;
        }
        let tallies = measure(set, &mut readers, args)?;
        for (reader, tally) in readers.iter().zip(&tallies) {
            show(args, &tally.row(&set.name, reader.name(), set.len));
        }
        if set.name.starts_with("boofcv/") {
            for (reader, tally) in readers.iter().zip(tallies) {
                total(&mut totals, reader.name(), tally);
            }
        }
    }
    for (reader, tally) in &totals {
        show(args, &tally.row("boofcv, all", reader, tally.pictures));
    }
    Ok(())
}

fn show(args: &Args, row: &tally::Row) {
    if args.json {
        println!("{}", serde_json::to_string(row).unwrap_or_default());
    } else {
        println!("{row}");
    }
}

fn total(totals: &mut Vec<(String, Tally)>, reader: &str, tally: Tally) {
    let index = match totals.iter().position(|(name, _)| name == reader) {
        Some(known) => known,
        None => {
            totals.push((reader.into(), Tally::default()));
            totals.len() - 1
        }
    };
    let sum = &mut totals[index].1;
    sum.pictures += tally.pictures;
    sum.codes += tally.codes;
    sum.score.read += tally.score.read;
    sum.score.wrong += tally.score.wrong;
    sum.score.stray += tally.score.stray;
    sum.score.double += tally.score.double;
    sum.ms.extend(tally.ms);
    sum.base_ms.extend(tally.base_ms);
}

/// Lets every reader read every picture of `set`.
fn measure(set: &Set, readers: &mut [Box<dyn Reader>], args: &Args) -> Result<Vec<Tally>, String> {
    let mut tallies: Vec<Tally> = readers.iter().map(|_| Tally::default()).collect();
    let mut spent_s = vec![0.0; readers.len()];
    for index in 0..set.len {
        let (name, picture, truth) = set.picture(index)?;
        let mut scores: Vec<Option<Score>> = vec![None; readers.len()];
        let mut ms: Vec<Vec<f64>> = vec![Vec::new(); readers.len()];
        for round in 0..args.rounds as usize {
            for turn in 0..readers.len() {
                let at = (turn + round + index) % readers.len();
                let reader = &mut readers[at];
                let gives_up = args.patience > 0.0 && spent_s[at] > args.patience;
                if reader.slow() && (round > 0 || gives_up) {
                    continue;
                }
                if index == 0 && round == 0 && !reader.slow() {
                    // Its memory and its code are warm before it is timed.
                    reader.read(&picture);
                }
                let start = now_s(args.cpu);
                let reads = reader.read(&picture);
                let took_s = now_s(args.cpu) - start;
                ms[at].push(took_s * 1e3);
                spent_s[at] += took_s;
                if scores[at].is_none() {
                    let score = Score::of(&truth, &reads);
                    if let (true, Truth::Texts(texts)) = (args.diff, &truth) {
                        for read in reads.iter().filter(|read| !texts.contains(&read.text)) {
                            let (reader, Read { text, centre }) = (reader.name(), read);
                            let (x, y) = (centre.x, centre.y);
                            eprintln!("{}/{name}: {reader} reads {text:?} at {x} {y}", set.name);
                        }
                    }
                    scores[at] = Some(score);
                }
            }
        }
        let base_ms = tally::quantile(&ms[0], 0.5);
        for (at, score) in scores.iter().enumerate() {
            let Some(score) = score else { continue };
            let median = tally::quantile(&ms[at], 0.5);
            tallies[at].add(truth.codes(), *score, median, base_ms);
            if let Some(base) = scores[0].filter(|base| args.diff && score.read < base.read) {
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
    Ok(tallies)
}

/// Seconds since some moment, on the wall or of this thread's processor time.
fn now_s(cpu: bool) -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    if cpu {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
    } else {
        START.elapsed().as_secs_f64()
    }
}
