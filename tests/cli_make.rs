//! `beltscan make`: the same bytes every time, and what was made can be read.

use std::path::Path;
use std::process::{Command, Output};

use beltscan::camera::picture::{self, Picture};
use beltscan::qr::{Fnc1, Reader, ReaderOptions, Reads};

fn make(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_beltscan"))
        .arg("make")
        .args(arguments)
        .output()
        .expect("the program starts")
}

/// What is written to standard output.
fn made(arguments: &[&str]) -> Vec<u8> {
    let output = make(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    assert!(errors.is_empty(), "{errors}");
    output.stdout
}

fn read(picture: &Picture) -> Reads {
    let mut reads = Reads::default();
    Reader::new(ReaderOptions::default()).read(picture.view(), &[], &mut reads);
    reads
}

fn text_of(picture: &Picture) -> String {
    let reads = read(picture);
    assert_eq!(reads.codes.len(), 1, "{:?}", reads.failure);
    reads.codes[0].content.text.clone()
}

#[test]
fn every_picture_format_can_be_read_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text, more) in [
        ("a.png", "HELLO 42", &[][..]),
        ("b.PNG", "grüße, 物流", &["--level", "h"]),
        ("c.pnm", "0123456789", &["--version", "7", "--level", "L"]),
        ("d.pgm", "https://example.com/?a=1&b=2", &["--scale", "3"]),
        ("e.png", "--help", &["--quiet-zone", "6"]),
    ] {
        let path = folder.path().join(name);
        let target = path.to_str().expect("UTF-8");
        made(&[&["-o", target][..], more, &["--", text]].concat());
        let picture = picture::load(&path).expect("a picture");
        assert_eq!(text_of(&picture), text, "{name}");
    }
    let side = |name: &str| {
        let picture = picture::load(&folder.path().join(name)).expect("a picture");
        assert_eq!(picture.width, picture.height);
        picture.width
    };
    assert_eq!(
        side("c.pnm"),
        (45 + 8) * 8,
        "version 7, quiet zone 4, scale 8"
    );
    assert_eq!(side("e.png"), (21 + 12) * 8, "quiet zone 6");
}

#[test]
fn the_same_input_gives_the_same_bytes_whichever_way_it_goes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (format, name) in [
        ("png", "a.png"),
        ("svg", "a.svg"),
        ("pnm", "a.pnm"),
        ("text", "a.txt"),
    ] {
        let path = folder.path().join(name);
        made(&["SAME", "-o", path.to_str().expect("UTF-8")]);
        let in_file = std::fs::read(&path).expect("written");
        assert_eq!(made(&["SAME", "-o", "-", "--format", format]), in_file);
        assert_eq!(made(&["SAME", "-o", "-", "--format", format]), in_file);
        assert_ne!(made(&["OTHER", "-o", "-", "--format", format]), in_file);
    }
    // Without a file it is characters, on standard output without a format PNG.
    assert_eq!(
        made(&["SAME"]),
        made(&["SAME", "-o", "-", "--format", "text"])
    );
    assert_eq!(
        made(&["SAME", "-o", "-"]),
        made(&["SAME", "-o", "-", "--format", "png"])
    );
}

/// Draws the runs of our own SVG, eight pixels to a unit.
fn rasterised(svg: &str) -> Picture {
    const SCALE: usize = 8;
    let attribute = |name: &str| {
        let (_, after) = svg.split_once(&format!("{name}=\"")).expect(name);
        after.split_once('"').expect(name).0.to_owned()
    };
    let across: usize = attribute("viewBox")
        .rsplit_once(' ')
        .and_then(|(_, side)| side.parse().ok())
        .expect("a square");
    let width = across * SCALE;
    let mut luma = vec![255; width * width];
    for run in attribute(" d").split_terminator('z') {
        let numbers: Vec<usize> = run
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [x, y, length, 1, back] = numbers[..] else {
            panic!("not a run: {run}");
        };
        assert_eq!(length, back);
        for row in y * SCALE..(y + 1) * SCALE {
            luma[row * width..][x * SCALE..(x + length) * SCALE].fill(0);
        }
    }
    Picture {
        luma,
        width,
        height: width,
    }
}

#[test]
fn the_drawing_shows_the_same_code() {
    let svg = made(&["DRAWN", "-o", "-", "--format", "svg", "--level", "Q"]);
    let svg = String::from_utf8(svg).expect("text");
    assert!(svg.starts_with("<?xml") && svg.ends_with("</svg>\n"));
    assert_eq!(text_of(&rasterised(&svg)), "DRAWN");
}

#[test]
fn gs1_text_becomes_fnc1_and_separators() {
    let png = made(&["(10)AB%C(01)09506000134352", "--gs1", "-o", "-"]);
    let reads = read(&picture::from_bytes(&png).expect("a picture"));
    let content = &reads.codes[0].content;
    assert_eq!(content.text, "10AB%C\u{1d}0109506000134352");
    assert_eq!((content.fnc1, content.aim_modifier), (Some(Fnc1::Gs1), 3));
}

#[test]
fn micro_codes_have_their_own_size_and_quiet_zone() {
    let side = |arguments: &[&str]| {
        let png = made(arguments);
        picture::from_bytes(&png).expect("a picture").width
    };
    assert_eq!(
        side(&["12345", "--micro", "-o", "-", "--scale", "1"]),
        11 + 4
    );
    let m4 = [
        "12345",
        "--micro",
        "--version",
        "4",
        "-o",
        "-",
        "--scale",
        "1",
    ];
    assert_eq!(side(&m4), 17 + 4);
}

#[test]
fn what_cannot_be_made_says_why_and_how_it_could() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nowhere = folder.path().join("no/such/folder/a.png");
    let nowhere = nowhere.to_str().expect("UTF-8");
    let long = "x".repeat(3000);
    for (arguments, code, word) in [
        (&["A", "-o", "a.gif"][..], 2, "--format"),
        (&[&long], 2, "shorten"),
        (&["A", "--version", "41"], 2, "1 to 40"),
        (&["A", "--version", "1", "--micro", "--gs1"], 2, "--gs1"),
        (&["(01)", "--gs1"], 2, "empty"),
        (&["A", "--scale", "999", "-o", "-"], 2, "--scale"),
        (&["A", "--level", "X"], 2, "L, M, Q, H"),
        (&["A", "-o", nowhere], 1, nowhere),
    ] {
        let output = make(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(word), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
    assert!(!Path::new("a.gif").exists());
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Command::new(env!("CARGO_BIN_EXE_beltscan"))
            .args(["completions", shell])
            .output()
            .expect("the program starts");
        assert!(output.status.success(), "{shell}");
        let script = String::from_utf8(output.stdout).expect("text");
        assert!(script.contains("quiet-zone"), "{shell}: no options of make");
    }
}

#[test]
fn every_subcommand_gets_a_man_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |folder: &Path| {
        Command::new(env!("CARGO_BIN_EXE_beltscan"))
            .arg("man")
            .arg(folder)
            .output()
            .expect("the program starts")
    };
    let output = write(folder.path());
    assert!(output.status.success(), "{output:?}");
    let page = |name: &str| {
        std::fs::read_to_string(folder.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let main = page("beltscan.1");
    assert!(
        main.starts_with(".ie") && main.contains("Exit codes"),
        "{main}"
    );
    for subcommand in [
        "run",
        "demo",
        "read",
        "make",
        "cameras",
        "check",
        "completions",
        "man",
    ] {
        assert!(main.contains(subcommand), "{subcommand}");
        page(&format!("beltscan-{subcommand}.1"));
    }
    assert!(
        page("beltscan-make.1").contains("quiet"),
        "no options of make"
    );

    let missing = folder.path().join("missing");
    let output = write(&missing);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains(&*missing.to_string_lossy()), "{errors}");
}
