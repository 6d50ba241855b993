//! `beltscan read PATH…`: stills, folders and videos, offline.
//!
//! Files are read by as many threads as asked for and told in order, one line
//! each, whatever became of them. What a picture holds is the reader's business
//! ([`crate::qr`]), what a line looks like that of [`report`].

mod crew;
mod desk;
mod inputs;
mod overlay;
mod report;
mod video;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{EXIT_CONFIG, EXIT_FAILED, fail};
use crate::config::Config;
use crate::qr::ReaderOptions;
use desk::Desk;
use inputs::Input;

/// Reads codes in pictures, folders of them and videos.
///
/// Pictures may be PNG, JPEG, WebP, BMP or PNM; videos need ffmpeg. Of a folder
/// the pictures and videos in it are read, in the order of their names, those in
/// folders below it are not. Of a video each content is told once.
#[derive(clap::Args)]
pub struct Args {
    /// Pictures, folders, videos.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// One JSON object for each file, in order, instead of text.
    #[arg(long)]
    jsonl: bool,
    /// Leave text beside the codes alone (this build reads none).
    #[arg(long)]
    no_ocr: bool,
    /// Files read at the same time; 0: as many as there are processors. With
    /// one the times told are undisturbed.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(..=64))]
    threads: u16,
    /// Most time for one picture in ms; 0: as long as it takes.
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    deadline_ms: Option<Duration>,
    /// Folder for copies of the pictures with the codes drawn in: green with their
    /// number where read, red where not. (None of videos.)
    #[arg(long, value_name = "DIR")]
    overlay: Option<PathBuf>,
    /// Configuration whose [read] section applies.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let ms: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    Duration::try_from_secs_f64(ms / 1e3).map_err(|_| "not a time span".into())
}

/// Reads everything. 0 if every file could be opened as a picture or video.
pub fn run(args: Args) -> ExitCode {
    let options = match options(&args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if let Some(folder) = &args.overlay
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        let folder = folder.display();
        return fail(
            EXIT_FAILED,
            format!("cannot make the folder {folder}: {error}"),
        );
    }
    let (inputs, faults) = inputs::expand(&args.paths);
    for fault in &faults {
        fail(EXIT_FAILED, fault);
    }
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, Into::into),
        threads => usize::from(threads),
    };
    let style = if args.jsonl {
        report::Style::Json
    } else {
        report::Style::Text
    };
    let desk = || Desk::new(options.clone(), style, args.overlay.clone());
    match read_all(&inputs, threads, desk) {
        Ok(true) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(EXIT_FAILED),
        Err(error) => fail(EXIT_FAILED, format!("cannot write the results: {error}")),
    }
}

/// The reader's options: the configuration's, and the command line's over them.
fn options(args: &Args) -> Result<ReaderOptions, ExitCode> {
    let mut options = ReaderOptions::default();
    if let Some(path) = &args.config {
        let read = load(path)?.read;
        options.inverted = read.inverted;
        options.mirrored = read.mirrored;
        options.max_codes = read.max_codes;
        // A frame's interval bounds nothing where there are no frames to come.
        options.deadline = Some(Duration::from_secs_f32(read.deadline_ms / 1e3));
    }
    if args.deadline_ms.is_some() {
        options.deadline = args.deadline_ms;
    }
    options.deadline = options.deadline.filter(|deadline| !deadline.is_zero());
    Ok(options)
}

fn load(path: &Path) -> Result<Config, ExitCode> {
    Config::load(path)
        .map_err(|problems| fail(EXIT_CONFIG, format!("{}:\n{problems}", path.display())))
}

/// Reads `inputs` and prints what became of each, in order. Whether all of them
/// could be opened; an error if the results cannot be written.
fn read_all(
    inputs: &[Input],
    threads: usize,
    desk: impl Fn() -> Desk + Sync,
) -> std::io::Result<bool> {
    let bar = progress(inputs.len());
    let mut all_opened = true;
    let mut written = Ok(true);
    crew::in_order(
        threads,
        inputs.len(),
        desk,
        |desk, index| desk.read(index, &inputs[index]),
        |told| {
            all_opened &= told.opened;
            written = bar.suspend(|| super::print(told.text.as_bytes()));
            bar.inc(1);
            matches!(written, Ok(true))
        },
    );
    bar.finish_and_clear();
    written.map(|_| all_opened)
}

/// A bar on standard error if somebody may be watching and there is something to
/// wait for.
fn progress(files: usize) -> ProgressBar {
    if files < 2 || !super::watched() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(files as u64).with_style(style)
}
