//! The same frames on every processor: drawn from seeds once, read by builds for
//! different machines, so that what they read and what it cost can be compared.
//!
//! ```text
//! frames draw FOLDER          draws them into FOLDER (PGM)
//! frames digest PICTURE…      for each: what was read, what it took, where
//! frames read TIMES PICTURE   reads one again and again, tells how many codes
//! ```
//!
//! Drawing takes sines and roots, which C libraries round differently: draw on one
//! machine only. Reading keeps to no deadline, since time is another everywhere.

#[path = "../../../peers/src/synthetic.rs"]
mod synthetic;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use beltscan::camera::picture::Picture;
use beltscan::qr::{Reader, ReaderOptions, Reads};
use sha2::{Digest, Sha256};
use synthetic::Scene;

const CLEAN: Scene = Scene {
    width: 1280,
    height: 720,
    codes: 0,
    texture: 0.0,
    noise: 2.0,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["draw", folder] => draw(Path::new(folder)),
        ["digest", ref pictures @ ..] => pictures.iter().try_for_each(|path| digest(path)),
        ["read", times, path] => read(times, path),
        _ => Err("usage: frames draw FOLDER | digest PICTURE… | read TIMES PICTURE".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frames: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Of each kind that costs are told of five, and two dozen of all kinds.
fn draw(folder: &Path) -> Result<(), Box<dyn Error>> {
    let scene = |codes: usize| Scene { codes, ..CLEAN };
    let belt = Scene {
        texture: 60.0,
        noise: 4.0,
        ..CLEAN
    };
    let kinds = [
        ("empty-flat", scene(0), 1),
        ("empty-belt", belt, 1),
        ("1-code", scene(1), 1),
        ("4-codes", scene(4), 1),
        ("40-codes", scene(40), 1),
        ("4-blurred", scene(4), 8),
    ];
    let mut frames = Vec::new();
    for (name, scene, length) in kinds {
        frames.extend((0..5).map(|seed| (format!("cost-{name}-{seed}"), scene, seed, length)));
    }
    for index in 0..24 {
        let (scene, length) = match index % 4 {
            0 => (scene(1 + 2 * index), 1),
            1 => (Scene { codes: 6, ..belt }, 1),
            2 => (scene(5), 3 + index / 2),
            _ => (belt, 1),
        };
        frames.push((
            format!("mixed-{index:02}"),
            scene,
            100 + index as u64,
            length,
        ));
    }
    for (name, scene, seed, length) in frames {
        let (mut picture, texts) = synthetic::frame(scene, 7_000 + seed);
        moved(&mut picture, length);
        write(folder, &name, &picture)?;
        eprintln!("{name}: {} codes", texts.len());
    }
    Ok(())
}

/// Motion along the rows: each pixel the mean of `length` beside each other.
fn moved(picture: &mut Picture, length: usize) {
    for row in picture.luma.chunks_exact_mut(picture.width) {
        let still = row.to_vec();
        for (x, pixel) in row.iter_mut().enumerate() {
            let window = &still[x..(x + length).min(still.len())];
            let sum: usize = window.iter().map(|&grey| usize::from(grey)).sum();
            *pixel = ((sum + window.len() / 2) / window.len()) as u8;
        }
    }
}

fn write(folder: &Path, name: &str, picture: &Picture) -> std::io::Result<()> {
    std::fs::write(folder.join(name).with_extension("pgm"), picture.to_pgm())
}

fn load(path: &str) -> Result<Picture, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Picture::from_pgm(&bytes).ok_or_else(|| format!("{path} is no PGM as draw writes them"))?)
}

fn reader() -> (Reader, Reads) {
    (Reader::new(ReaderOptions::default()), Reads::default())
}

/// A row: picture, codes, units of work, all that is whole numbers as a hash, and
/// corners and quality to the last bit as another.
fn digest(path: &str) -> Result<(), Box<dyn Error>> {
    let picture = load(path)?;
    let (mut reader, mut reads) = reader();
    reader.read(picture.view(), &[], &mut reads);
    let (mut said, mut measured) = (Sha256::new(), Sha256::new());
    said.update(format!("{:?}{:?}", reads.work, reads.failure));
    for code in reads.codes.iter() {
        said.update(format!(
            "{:?}{}{:?}{}{}{}{:?}{}{:?}",
            code.symbology,
            code.version,
            code.level,
            code.mask,
            code.mirrored,
            code.inverted,
            code.method,
            code.corrected,
            code.content
        ));
        measured.update(format!("{:?}{:?}", code.corners, code.quality));
    }
    let short = |hash: Sha256| -> String {
        let bytes = hash.finalize();
        bytes[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    println!(
        "{}\t{} codes\t{} units\t{}\t{}",
        Path::new(path).file_stem().unwrap_or_default().display(),
        reads.codes.len(),
        reads.work.units,
        short(said),
        short(measured)
    );
    Ok(())
}

fn read(times: &str, path: &str) -> Result<(), Box<dyn Error>> {
    let times: u32 = times.parse()?;
    let picture = load(path)?;
    let (mut reader, mut reads) = reader();
    for _ in 0..times {
        reader.read(picture.view(), &[], &mut reads);
    }
    println!("{} codes", reads.codes.len());
    Ok(())
}
