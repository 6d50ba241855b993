//! Reads the folders of pictures under `BELTSCAN_CORPUS` and prints, for each
//! folder and category, how many of the codes with a known truth were read, how
//! many reads were none, and the time it took.
//!
//! `cargo run --release --example corpus [-v] [FOLDER…]`; `-v` lists what was missed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use beltscan::frame::Luma;
use beltscan::geometry::{Point, Quad};
use beltscan::qr::{Reader, ReaderOptions, Reads};
use serde::Deserialize;

#[derive(Deserialize)]
struct Entry {
    file: String,
    category: String,
    texts: Option<Vec<String>>,
    corners: Option<Vec<[[f32; 2]; 4]>>,
}

#[derive(Default)]
struct Tally {
    wanted: usize,
    read: usize,
    others: usize,
    time: Duration,
    pixels: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::var("BELTSCAN_CORPUS")
        .map_err(|_| "set BELTSCAN_CORPUS to the folder of pictures")?;
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let verbose = arguments.iter().any(|a| a == "-v");
    arguments.retain(|a| a != "-v");
    if arguments.is_empty() {
        arguments = ["zxing", "zxing-cpp", "boofcv", "falsepos"]
            .map(String::from)
            .into();
    }
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    for folder in arguments {
        let folder = Path::new(&root).join(folder);
        let mut categories: BTreeMap<String, Tally> = BTreeMap::new();
        for line in std::fs::read_to_string(folder.join("manifest.jsonl"))?.lines() {
            let entry: Entry = serde_json::from_str(line)?;
            let picture = image::open(folder.join(&entry.file))?.into_luma8();
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let luma = Luma::new(&picture, width, height, width).ok_or("too short")?;
            let started = Instant::now();
            reader.read(luma, &[], &mut reads);
            let time = started.elapsed();
            let tally = categories.entry(entry.category.clone()).or_default();
            tally.time += time;
            tally.pixels += width * height;
            let (wanted, read) = score(&entry, &reads);
            tally.wanted += wanted;
            tally.read += read;
            tally.others += reads.codes.len().saturating_sub(read);
            if verbose && (read < wanted || reads.codes.len() > read) {
                let reasons: Vec<_> = reads.unread.iter().map(|u| u.reason.name()).collect();
                println!(
                    "  {} {read}/{wanted} reads {} {:.1} ms {:?} {reasons:?}",
                    entry.file,
                    reads.codes.len(),
                    time.as_secs_f64() * 1e3,
                    reads.work,
                );
            }
        }
        print(&folder, &categories);
    }
    Ok(())
}

/// How many codes the picture has, and how many of them were read.
fn score(entry: &Entry, reads: &Reads) -> (usize, usize) {
    if let Some(texts) = &entry.texts {
        let mut left: Vec<&str> = texts.iter().map(String::as_str).collect();
        for code in reads.codes.iter() {
            if let Some(at) = left.iter().position(|text| *text == code.content.text) {
                left.swap_remove(at);
            }
        }
        return (texts.len(), texts.len() - left.len());
    }
    let quads: Vec<Quad> = entry
        .corners
        .iter()
        .flatten()
        .map(|quad| Quad(quad.map(|[x, y]| Point::new(x, y))))
        .collect();
    let read = quads
        .iter()
        .filter(|quad| {
            reads
                .codes
                .iter()
                .any(|code| quad.contains(code.corners.centre()))
        })
        .count();
    (quads.len(), read)
}

fn print(folder: &Path, categories: &BTreeMap<String, Tally>) {
    let share = |tally: &Tally| 100.0 * tally.read as f64 / tally.wanted.max(1) as f64;
    let mut all = Tally::default();
    let mut mean = 0.0;
    for (name, tally) in categories {
        println!(
            "{:24} {:4} of {:4}  {:5.1} %  others {:3}  {:6.2} ms a picture  {:5.2} ms/MP",
            name,
            tally.read,
            tally.wanted,
            share(tally),
            tally.others,
            tally.time.as_secs_f64() * 1e3,
            tally.time.as_secs_f64() * 1e9 / tally.pixels.max(1) as f64,
        );
        mean += share(tally) / categories.len() as f64;
        all.wanted += tally.wanted;
        all.read += tally.read;
        all.others += tally.others;
        all.time += tally.time;
        all.pixels += tally.pixels;
    }
    println!(
        "{}: {} of {}  {:.1} %, mean of categories {mean:.1} %, others {}, {:.0} ms, {:.2} ms/MP\n",
        folder.file_name().unwrap_or_default().display(),
        all.read,
        all.wanted,
        share(&all),
        all.others,
        all.time.as_secs_f64() * 1e3,
        all.time.as_secs_f64() * 1e9 / all.pixels.max(1) as f64,
    );
}
