//! `beltscan make TEXT`: a code as a picture, a drawing or characters.
//!
//! Same input, same bytes: nothing here depends on time, machine or terminal
//! (on a terminal the characters get their colours around them).

use std::fmt::Write as _;
use std::io::{Cursor, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use image::{DynamicImage, GrayImage, ImageFormat, Luma};

use super::{EXIT_FAILED, EXIT_USAGE, fail};
use crate::camera::picture::MAX_SIDE;
use crate::qr::{BitMatrix, EcLevel, encode, encode_micro};

/// Makes a code: as PNG, SVG or PNM, or in characters on the terminal.
#[derive(clap::Args)]
pub struct Args {
    /// The text. With --gs1: element strings as (01)09506000134352(10)ABC.
    text: String,
    /// File to write; its name ends in .png, .svg or .pnm. `-`: standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to write, where the name does not say it.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Error correction level [default: M; L for Micro QR].
    #[arg(long, value_enum, ignore_case = true)]
    level: Option<Level>,
    /// Pixels to a module.
    #[arg(long, value_name = "PX", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    scale: u32,
    /// Light modules around the code [default: 4; 2 for Micro QR].
    #[arg(long, value_name = "MODULES", value_parser = clap::value_parser!(u32).range(..=100))]
    quiet_zone: Option<u32>,
    /// Version: 1 to 40, or 1 to 4 for Micro QR; the smallest that fits, unless given.
    #[arg(long = "version", value_name = "N")]
    symbol_version: Option<u8>,
    /// A Micro QR code.
    #[arg(long, conflicts_with = "gs1")]
    micro: bool,
    /// A GS1 QR code: FNC1 in first position.
    #[arg(long)]
    gs1: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Png,
    Svg,
    Pnm,
    /// Half blocks, two modules to a character.
    Text,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    #[value(name = "L")]
    L,
    #[value(name = "M")]
    M,
    #[value(name = "Q")]
    Q,
    #[value(name = "H")]
    H,
}

impl From<Level> for EcLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::L => EcLevel::L,
            Level::M => EcLevel::M,
            Level::Q => EcLevel::Q,
            Level::H => EcLevel::H,
        }
    }
}

/// Makes it.
pub fn run(args: Args) -> ExitCode {
    let file = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let Some(format) = args.format.or_else(|| match file {
        Some(path) => by_name(path),
        None if args.output.is_some() => Some(Format::Png),
        None => Some(Format::Text),
    }) else {
        return fail(
            EXIT_USAGE,
            "the output's name tells no format: let it end in .png, .svg or .pnm, or give --format",
        );
    };
    let matrix = if args.micro {
        let level = args.level.map_or(EcLevel::L, EcLevel::from);
        encode_micro(&args.text, level, args.symbol_version)
    } else {
        let level = args.level.map_or(EcLevel::M, EcLevel::from);
        encode(&args.text, level, args.symbol_version, args.gs1)
    };
    let matrix = match matrix {
        Ok(matrix) => matrix,
        Err(error) => return fail(EXIT_USAGE, error),
    };
    let quiet = args.quiet_zone.unwrap_or(if args.micro { 2 } else { 4 });
    let drawn = match Label::new(&matrix, quiet, args.scale, format) {
        Ok(label) => label.draw(format),
        Err(error) => return fail(EXIT_USAGE, error),
    };
    let written = match file {
        Some(path) => {
            std::fs::write(path, drawn).map_err(|error| format!("{}: {error}", path.display()))
        }
        None => super::print(&drawn)
            .map(drop)
            .map_err(|error| format!("standard output: {error}")),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(EXIT_FAILED, format!("cannot write {error}")),
    }
}

fn by_name(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "png" => Some(Format::Png),
        "svg" => Some(Format::Svg),
        "pnm" | "pgm" => Some(Format::Pnm),
        "txt" => Some(Format::Text),
        _ => None,
    }
}

/// A symbol with its quiet zone, to be drawn.
struct Label<'a> {
    matrix: &'a BitMatrix,
    quiet: u32,
    scale: u32,
    /// Modules across, quiet zone included.
    across: u32,
}

impl<'a> Label<'a> {
    /// Refuses pictures larger than can be read again.
    fn new(matrix: &'a BitMatrix, quiet: u32, scale: u32, format: Format) -> Result<Self, String> {
        let across = matrix.side() as u32 + 2 * quiet;
        let pixels = across * scale;
        if matches!(format, Format::Png | Format::Pnm) && pixels > MAX_SIDE {
            return Err(format!(
                "{pixels} pixels a side are more than {MAX_SIDE}: give a --scale of at most {}",
                MAX_SIDE / across
            ));
        }
        Ok(Self {
            matrix,
            quiet,
            scale,
            across,
        })
    }

    /// Is the module in column `x`, row `y` of the label dark?
    fn dark(&self, x: u32, y: u32) -> bool {
        match (x.checked_sub(self.quiet), y.checked_sub(self.quiet)) {
            (Some(x), Some(y)) => self.matrix.dark(x as usize, y as usize),
            _ => false,
        }
    }

    fn draw(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Png => self.picture(ImageFormat::Png),
            Format::Pnm => self.picture(ImageFormat::Pnm),
            Format::Svg => self.svg().into_bytes(),
            Format::Text => self.text(std::io::stdout().is_terminal()).into_bytes(),
        }
    }

    fn picture(&self, format: ImageFormat) -> Vec<u8> {
        let side = self.across * self.scale;
        let picture = GrayImage::from_fn(side, side, |x, y| {
            let dark = self.dark(x / self.scale, y / self.scale);
            Luma([if dark { 0 } else { 255 }])
        });
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(picture)
            .write_to(&mut bytes, format)
            .expect("grey pictures of any size can be written to memory");
        bytes.into_inner()
    }

    /// One path of runs, a module to a unit.
    fn svg(&self) -> String {
        let (across, side) = (self.across, self.across * self.scale);
        let mut svg = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{side}\" height=\"{side}\" \
             viewBox=\"0 0 {across} {across}\" shape-rendering=\"crispEdges\">\n\
             <rect width=\"{across}\" height=\"{across}\" fill=\"#fff\"/>\n\
             <path fill=\"#000\" d=\""
        );
        for y in 0..across {
            let mut x = 0;
            while x < across {
                let run = (x..across).take_while(|&x| self.dark(x, y)).count() as u32;
                if run > 0 {
                    // Writing to a String cannot fail.
                    let _ = write!(svg, "M{x} {y}h{run}v1h-{run}z");
                }
                x += run.max(1);
            }
        }
        svg.push_str("\"/>\n</svg>\n");
        svg
    }

    /// Half blocks; `coloured` makes them black on white whatever the terminal's
    /// own colours are.
    fn text(&self, coloured: bool) -> String {
        let mut text = String::new();
        for y in (0..self.across).step_by(2) {
            if coloured {
                text.push_str("\x1b[38;5;16;48;5;231m");
            }
            for x in 0..self.across {
                text.push(match (self.dark(x, y), self.dark(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            if coloured {
                text.push_str("\x1b[0m");
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_has_a_run_for_every_row_of_dark_modules_and_no_more() {
        let matrix = encode("A", EcLevel::M, None, false).expect("fits");
        let label = Label::new(&matrix, 4, 3, Format::Svg).expect("small");
        let svg = label.svg();
        assert!(svg.contains("width=\"87\" height=\"87\" viewBox=\"0 0 29 29\""));
        // The upper edge of the two upper finder patterns.
        assert!(svg.contains("d=\"M4 4h7v1h-7z"), "{svg}");
        assert!(svg.contains("M18 4h7v1h-7z"));
        let drawn: u32 = svg
            .split(['M', 'z'])
            .filter_map(|run| {
                run.split_once('h')?
                    .1
                    .split_once('v')?
                    .0
                    .parse::<u32>()
                    .ok()
            })
            .sum();
        let dark = (0..21 * 21).filter(|i| matrix.dark(i % 21, i / 21)).count();
        assert_eq!(drawn as usize, dark);
    }

    #[test]
    fn half_blocks_hold_two_rows_each() {
        let matrix = encode("A", EcLevel::M, None, false).expect("fits");
        let label = Label::new(&matrix, 1, 1, Format::Text).expect("small");
        let text = label.text(false);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 12, "23 rows of modules");
        assert!(rows.iter().all(|row| row.chars().count() == 23));
        assert!(rows[0].starts_with(" ▄▄▄▄▄▄▄ "), "{text}");
        assert!(rows[1].starts_with(" █ ▄▄▄ █ "), "{text}");
    }

    #[test]
    fn a_picture_that_could_not_be_read_again_is_refused() {
        let matrix = encode("A", EcLevel::M, None, false).expect("fits");
        let error = Label::new(&matrix, 4, 1000, Format::Png).err();
        assert!(error.is_some_and(|error| error.contains("at most 564")));
        assert!(Label::new(&matrix, 4, 1000, Format::Svg).is_ok());
    }
}
