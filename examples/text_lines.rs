//! Reads lines of text, each a picture of its own, as the bench of text does:
//!
//! ```text
//! text_lines MANIFEST [warm|folder of models]
//! ```
//!
//! A row of the manifest is `picture TAB characters TAB pattern` (the pattern may be
//! empty; characters are `digits`, `ascii` or `full`). A row of the output is
//! `text TAB confidence TAB ms` of processor time from the luma plane to the text.

#[path = "support/meter.rs"]
mod meter;

use std::path::Path;
use std::process::ExitCode;

use beltscan::frame::Luma;
use beltscan::geometry::{Point, Quad};
use beltscan::ocr::{Characters, Models, Pace, Pattern, Recogniser, Strip, Wanted};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let manifest = arguments.first().ok_or("name a manifest")?;
    let models = match arguments.get(1) {
        Some(folder) => Models::open(Path::new(folder))?,
        None => Models::builtin(),
    };
    let start = meter::processor_time();
    let mut recogniser = Recogniser::load(&models)?;
    let loaded = meter::processor_time() - start;
    for characters in [Characters::Ascii, Characters::Full] {
        let start = meter::processor_time();
        recogniser.warm(characters)?;
        eprintln!(
            "{}: all widths in {:.0} ms",
            characters.name(),
            (meter::processor_time() - start).as_secs_f64() * 1e3
        );
    }
    eprintln!("loaded in {:.0} ms", loaded.as_secs_f64() * 1e3);
    for row in std::fs::read_to_string(manifest)?.lines() {
        let mut fields = row.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        let picture = image::open(field())?.into_luma8();
        let characters = match field() {
            "digits" => Characters::Digits,
            "full" => Characters::Full,
            _ => Characters::Ascii,
        };
        let pattern = match field() {
            "" => None,
            pattern => Some(Pattern::parse(pattern)?),
        };
        let wanted = Wanted {
            characters,
            pattern,
        };
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let luma = Luma::new(&picture, width, height, width).ok_or("no picture")?;
        let (right, bottom) = (width as f32, height as f32);
        let corners = [(0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)];
        let corners = Quad(corners.map(|(x, y)| Point::new(x, y)));
        let start = meter::processor_time();
        let read = match Strip::cut(luma, &corners) {
            Some(strip) => recogniser.read(&strip, &wanted, &mut Pace::steady())?,
            None => None,
        };
        let ms = (meter::processor_time() - start).as_secs_f64() * 1e3;
        match read {
            Some(read) => println!("{}\t{:.4}\t{ms:.3}", read.text, read.confidence),
            None => println!("\t0\t{ms:.3}"),
        }
    }
    meter::tell_memory();
    Ok(())
}
