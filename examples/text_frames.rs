//! Finds and reads the text of whole frames, as the bench of text does:
//!
//! ```text
//! text_frames whole|relief PICTURE…
//! ```
//!
//! A row of the output is a line of text, `picture TAB x TAB y TAB confidence TAB
//! text` (x and y of its centre), and behind each picture a row
//! `picture TAB ms TAB MS of detection TAB MS in all`, in processor time.

#[path = "support/meter.rs"]
mod meter;

use std::process::ExitCode;

use beltscan::frame::Luma;
use beltscan::ocr::{Characters, Detector, Models, Pace, TextReader, Wanted};

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
    let (how, pictures) = arguments.split_first().ok_or("say whole or relief")?;
    let models = Models::builtin();
    // As the daemon loads them where text is searched for.
    let start = meter::processor_time();
    let mut reader = TextReader::load(&models)?;
    reader.recogniser().warm(Characters::Full)?;
    eprintln!(
        "loaded in {:.0} ms",
        (meter::processor_time() - start).as_secs_f64() * 1e3
    );
    let mut detector = Detector::load(&models)?;
    detector.warm(1280, 720)?;
    let wanted = Wanted {
        characters: Characters::Full,
        pattern: None,
    };
    let mut lines = Vec::new();
    // The first time builds the networks of the sizes that occur.
    for told in [false, true] {
        for path in pictures {
            let picture = image::open(path)?.into_luma8();
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let luma = Luma::new(&picture, width, height, width).ok_or("no picture")?;
            let start = meter::processor_time();
            lines.clear();
            match how.as_str() {
                "whole" => detector.detect_whole(luma, &[], &mut lines)?,
                _ => detector.detect(luma, &[], &mut lines, &mut Pace::steady())?,
            }
            let detection = (meter::processor_time() - start).as_secs_f64() * 1e3;
            let start = meter::processor_time();
            let read = reader.read_lines(luma, &lines, &wanted, &mut Pace::steady())?;
            let reading = (meter::processor_time() - start).as_secs_f64() * 1e3;
            if !told {
                continue;
            }
            for line in read {
                let centre = line.corners.centre();
                let (text, sure) = (line.text, line.confidence);
                println!(
                    "{path}\t{:.0}\t{:.0}\t{sure:.3}\t{text}",
                    centre.x, centre.y
                );
            }
            println!("{path}\tms\t{detection:.2}\t{:.2}", detection + reading);
        }
    }
    meter::tell_memory();
    Ok(())
}
