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
mod sequence;
mod text;
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
use sequence::Sequence;

/// Reads codes, and text beside them, in pictures, folders of them and videos.
///
/// Pictures may be PNG, JPEG, WebP, BMP or PNM; videos need ffmpeg. Of a folder
/// the pictures and videos in it are read, in the order of their names, those in
/// folders below it are not. Of a video each content is told once, and the text of
/// its sharpest frame.
#[derive(clap::Args)]
pub struct Args {
    /// Pictures, folders, videos.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// One JSON object for each file, in order, instead of text.
    #[arg(long)]
    jsonl: bool,
    /// Leave text beside the codes alone, which saves most of the time. (In a build
    /// without the feature ocr none is read.)
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
    /// number where read, red where not, lines of text in blue with what they say. (None
    /// of videos.)
    #[arg(long, value_name = "DIR")]
    overlay: Option<PathBuf>,
    /// Configuration whose [read] section applies, and with --sequence [belt],
    /// [item] and the text fields of [ocr].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The files are consecutive frames of one camera: a line for each item that
    /// passes, when it has left the picture. Of its text the fields are told that the
    /// configuration names.
    #[arg(long, conflicts_with_all = ["overlay", "threads"])]
    sequence: bool,
    #[command(flatten)]
    belt: Belt,
}

/// What is known of the camera that took a sequence.
#[derive(Clone, Copy, clap::Args)]
struct Belt {
    /// With --sequence: frames a second.
    #[arg(long, value_name = "N", default_value_t = 30.0, value_parser = frames_a_second, requires = "sequence")]
    fps: f64,
    /// With --sequence: exposure time of a frame in ms.
    #[arg(long, value_name = "MS", value_parser = milliseconds, requires = "sequence")]
    exposure_ms: Option<Duration>,
    /// With --sequence: where the belt runs in the picture, in degrees: 0 to the
    /// right, 90 down.
    #[arg(long, value_name = "DEG", value_parser = degrees, requires = "sequence", allow_negative_numbers = true)]
    belt_direction: Option<f32>,
}

fn frames_a_second(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(fps) if (0.01..=100_000.0).contains(&fps) => Ok(fps),
        _ => Err("write a number from 0.01 to 100000".into()),
    }
}

fn degrees(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(degrees) if (-360.0..=360.0).contains(&degrees) => Ok(degrees),
        _ => Err("write a number from -360 to 360".into()),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let ms: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    Duration::try_from_secs_f64(ms / 1e3).map_err(|_| "not a time span".into())
}

/// Reads everything. 0 if every file could be opened as a picture or video.
pub fn run(args: Args) -> ExitCode {
    let config = match load(args.config.as_deref()) {
        Ok(config) => config,
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
    let style = if args.jsonl {
        report::Style::Json
    } else {
        report::Style::Text
    };
    let options = options(&args, &config);
    let done = if args.sequence {
        match Sequence::new(&config, &args.belt, options, !args.no_ocr, style) {
            Ok(sequence) => sequence.read(&inputs),
            Err(problems) => return fail(EXIT_CONFIG, problems),
        }
    } else {
        let threads = match args.threads {
            0 => std::thread::available_parallelism().map_or(1, Into::into),
            threads => usize::from(threads),
        };
        let desk = || {
            let overlay = args.overlay.clone();
            Desk::new(options.clone(), !args.no_ocr, style, overlay)
        };
        read_all(&inputs, threads, desk)
    };
    match done {
        Ok(true) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(EXIT_FAILED),
        Err(error) => fail(EXIT_FAILED, format!("cannot write the results: {error}")),
    }
}

/// The reader's options: the configuration's, and the command line's over them.
fn options(args: &Args, config: &Config) -> ReaderOptions {
    // A frame's interval (deadline 0) bounds nothing where no frames are to come.
    let deadline = args
        .deadline_ms
        .unwrap_or(Duration::from_secs_f32(config.read.deadline_ms / 1e3));
    ReaderOptions {
        inverted: config.read.inverted,
        mirrored: config.read.mirrored,
        micro: config.read.micro,
        still: false,
        max_codes: config.read.max_codes,
        deadline: Some(deadline).filter(|deadline| !deadline.is_zero()),
        budget: None,
    }
}

fn load(path: Option<&Path>) -> Result<Config, ExitCode> {
    let Some(path) = path else {
        return Ok(Config::default());
    };
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
