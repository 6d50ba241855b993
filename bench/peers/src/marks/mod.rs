//! `marks`: every figure that has a mark, in one run.
//!
//! ```text
//!  specimens ──► cells (readers, others | ceiling, wiener)
//!      └───────► tracks (readers, others, tracker | ceiling)
//!  sets ───────► pictures, times (readers)
//!  clutter ────► deadline, falsehood (ours alone)
//!                   └─ report: lines, goals, summary
//! ```

mod ceiling;
mod cells;
mod clutter;
mod deadline;
mod falsehood;
mod goals;
mod others;
mod pictures;
mod report;
mod row;
mod specimens;
mod tracks;
mod wiener;

use std::path::PathBuf;

use clap::Args;

use self::report::{Figure, Report};

/// What is measured, and how much of it.
#[derive(Args)]
pub struct Options {
    /// Codes in each cell of degraded codes.
    #[arg(long, default_value_t = 400)]
    count: u64,
    /// Tracks of ten frames in each cell of tracks.
    #[arg(long, default_value_t = 200)]
    tracks: u64,
    /// Deadlines of a frame, ms.
    #[arg(long, value_delimiter = ',', default_values_t = [5.0, 10.0, 20.0])]
    deadlines: Vec<f64>,
    /// Small frames without a code that are searched for false reads, and a tenth
    /// as many with a code destroyed.
    #[arg(long, default_value_t = 20_000)]
    false_reads: u64,
    /// Number of the first of them: a long run in parts.
    #[arg(long, default_value_t = 0)]
    false_reads_from: u64,
    /// Only sections (cells, tracks, pictures, times, deadline, falsehood) or works
    /// (glare:10, boofcv) whose name starts with one of these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these readers; zxing-cpp and beltscan always run. The others are
    /// rxing and rqrr unless this names them; see --help without `marks`.
    #[arg(long, value_delimiter = ',')]
    readers: Vec<String>,
    /// Folder with labelled pictures.
    #[arg(long, env = "BELTSCAN_CORPUS")]
    corpus: Option<PathBuf>,
    /// How often the drawn frames of the times, and the real pictures, are read.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Time by the clock on the wall instead of the thread's own processor time,
    /// to which what a busy machine gives to others does not count.
    #[arg(long)]
    wall: bool,
    /// Slow readers give a cell or a set up after this many seconds. 0: never.
    #[arg(long, default_value_t = 10.0)]
    patience: f64,
    /// JSON lines instead of tables.
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Is `work` of `section` to be measured?
    fn wants(&self, section: &str, work: &str) -> bool {
        self.only.is_empty()
            || self
                .only
                .iter()
                .any(|only| section.starts_with(only.as_str()) || work.starts_with(only.as_str()))
    }

    /// Names of the readers.
    fn readers(&self) -> Vec<String> {
        let others = if self.readers.is_empty() {
            vec!["rxing".into(), "rqrr".into()]
        } else {
            self.readers.clone()
        };
        ["zxing-cpp", "beltscan"]
            .map(String::from)
            .into_iter()
            .chain(others)
            .collect()
    }
}

/// Measures what is chosen and prints it.
pub fn run(options: &Options) -> Result<(), String> {
    let mut report = Report::new(options.json);
    let mut wrong = cells::run(options, &mut report)?;
    wrong += tracks::run(options, &mut report)?;
    wrong += pictures::run(options, &mut report)?;
    deadline::run(options, &mut report)?;
    wrong += falsehood::run(options, &mut report)?;
    report.judge("false-reads", Figure::plain(wrong as f64));
    report.close();
    Ok(())
}
