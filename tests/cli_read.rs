//! `beltscan read`: one line a file in order, whatever the files are.

mod support;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use beltscan::qr::{EcLevel, encode};
use image::{DynamicImage, GrayImage, ImageEncoder, ImageFormat, Luma};
use serde_json::Value;
use tempfile::TempDir;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_beltscan"))
        .arg("read")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

/// The lines and the exit code of `read --jsonl`. Every line is checked against
/// the documented shape.
fn lines(folder: &Path, arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = run(folder, &[&["--jsonl"], arguments].concat());
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    let schema = jsonschema::validator_for(&schema()).expect("a schema");
    for line in &lines {
        if let Err(error) = schema.validate(line) {
            panic!("{line}: {error} at {}", error.instance_path());
        }
    }
    (lines, output.status.code())
}

/// What `--jsonl` promises.
fn schema() -> Value {
    let point = serde_json::json!({
        "type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2
    });
    serde_json::json!({
        "type": "object",
        "required": ["file", "width", "height", "ms", "codes", "ocr", "failure"],
        "properties": {
            "file": {"type": "string"},
            "width": {"type": ["integer", "null"], "minimum": 1},
            "height": {"type": ["integer", "null"], "minimum": 1},
            "frames": {"type": "integer", "minimum": 1},
            "ms": {"type": ["number", "null"], "minimum": 0},
            "ocr_ms": {"type": "number", "minimum": 0},
            "codes": {"type": "array", "items": {
                "type": "object",
                "required": ["text", "bytes_b64", "symbology", "aim", "version", "ecc",
                             "corners", "method", "quality"],
                "properties": {
                    "text": {"type": ["string", "null"]},
                    "bytes_b64": {"type": ["string", "null"]},
                    "symbology": {"enum": ["qr", "micro_qr", "rmqr"]},
                    "aim": {"type": "string", "pattern": "^\\]Q[0-6]$"},
                    "version": {"type": "integer", "minimum": 1, "maximum": 40},
                    "ecc": {"enum": ["L", "M", "Q", "H"]},
                    "corners": {"type": "array", "items": point, "minItems": 4, "maxItems": 4},
                    "method": {"enum": ["plain", "deblur", "erasure", "fused"]},
                    "quality": {
                        "type": "object",
                        "required": ["uec", "contrast", "module_px", "blur_modules"],
                        "additionalProperties": {"type": "number", "minimum": 0}
                    },
                    "structured_append": {"type": "object"}
                },
                "additionalProperties": false
            }},
            "ocr": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["text", "conf", "box"],
                    "properties": {
                        "text": {"type": "string", "minLength": 1},
                        "conf": {"type": "number", "minimum": 0, "maximum": 1},
                        "box": {"type": "array", "items": point, "minItems": 4, "maxItems": 4}
                    }
                }
            },
            "failure": {
                "type": ["object", "null"],
                "required": ["reason", "detail"],
                "properties": {
                    "reason": {"enum": ["no_finder", "low_contrast", "blur", "glare", "damage",
                                        "too_small", "not_an_image", "too_large"]},
                    "detail": {"type": "string", "minLength": 10}
                },
                "additionalProperties": false
            }
        },
        "additionalProperties": false
    })
}

/// A label eight pixels to a module, 232 pixels a side.
fn label(text: &str) -> GrayImage {
    let code = encode(text, EcLevel::M, Some(1), false).expect("fits");
    GrayImage::from_fn(232, 232, |x, y| {
        let dark = match (x.checked_sub(32), y.checked_sub(32)) {
            (Some(x), Some(y)) => code.dark((x / 8) as usize, (y / 8) as usize),
            _ => false,
        };
        Luma([if dark { 25 } else { 230 }])
    })
}

fn save(folder: &TempDir, name: &str, picture: impl Into<DynamicImage>, format: ImageFormat) {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .into()
        .write_to(&mut bytes, format)
        .expect("encodes");
    fs::write(folder.path().join(name), bytes.into_inner()).expect("writes");
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn texts(line: &Value) -> Vec<&str> {
    let codes = line["codes"].as_array().expect("codes");
    codes
        .iter()
        .filter_map(|code| code["text"].as_str())
        .collect()
}

#[test]
fn every_format_in_order_with_the_broken_ones_between() {
    let folder = folder();
    let grey = label("GREY");
    let rgb = DynamicImage::from(label("COLOUR")).into_rgb8();
    save(&folder, "a.png", grey.clone(), ImageFormat::Png);
    fs::write(folder.path().join("b.png"), b"this is no picture").expect("writes");
    save(&folder, "c.webp", rgb.clone(), ImageFormat::WebP);
    save(&folder, "d.bmp", rgb, ImageFormat::Bmp);
    save(&folder, "e.pgm", grey.clone(), ImageFormat::Pnm);
    save(&folder, "f.jpg", grey.clone(), ImageFormat::Jpeg);
    save(
        &folder,
        "g.png",
        DynamicImage::from(grey.clone()).into_luma16(),
        ImageFormat::Png,
    );
    save(
        &folder,
        "h.png",
        GrayImage::from_pixel(64, 48, Luma([128])),
        ImageFormat::Png,
    );
    let whole = fs::read(folder.path().join("a.png")).expect("reads");
    fs::write(folder.path().join("i.png"), &whole[..whole.len() / 2]).expect("writes");

    for threads in ["1", "3"] {
        let (lines, code) = lines(folder.path(), &[".", "--threads", threads, "--no-ocr"]);
        let files: Vec<&str> = lines
            .iter()
            .filter_map(|line| line["file"].as_str())
            .collect();
        let expected = [
            "./a.png", "./b.png", "./c.webp", "./d.bmp", "./e.pgm", "./f.jpg", "./g.png",
            "./h.png", "./i.png",
        ];
        assert_eq!(files, expected);
        let read: Vec<Vec<&str>> = lines.iter().map(texts).collect();
        assert_eq!(read[0], ["GREY"]);
        assert_eq!((&read[2], &read[3]), (&vec!["COLOUR"], &vec!["COLOUR"]));
        assert!(read[4] == ["GREY"] && read[5] == ["GREY"] && read[6] == ["GREY"]);
        for broken in [1, 8] {
            assert_eq!(lines[broken]["failure"]["reason"], "not_an_image");
            assert_eq!(lines[broken]["width"], Value::Null);
        }
        assert_eq!(lines[7]["failure"]["reason"], "no_finder");
        assert_eq!(
            (&lines[7]["width"], &lines[7]["height"]),
            (&64.into(), &48.into())
        );
        assert_eq!(code, Some(1), "two files could not be opened");
    }
}

#[test]
fn a_code_is_told_with_place_and_quality() {
    let folder = folder();
    save(&folder, "a.png", label("PLACE"), ImageFormat::Png);
    let (lines, code) = lines(folder.path(), &["a.png"]);
    assert_eq!(code, Some(0));
    let told = &lines[0]["codes"][0];
    assert_eq!(lines[0]["failure"], Value::Null);
    assert_eq!(told["symbology"], "qr");
    assert_eq!((&told["version"], &told["ecc"]), (&1.into(), &"M".into()));
    assert_eq!(told["bytes_b64"], Value::Null);
    let truth = [[32.0, 32.0], [200.0, 32.0], [200.0, 200.0], [32.0, 200.0]];
    for (corner, [x, y]) in truth.into_iter().enumerate() {
        let at = &told["corners"][corner];
        let (right, down) = (
            at[0].as_f64().expect("x") - x,
            at[1].as_f64().expect("y") - y,
        );
        let off = (right * right + down * down).sqrt();
        assert!(off < 1.0, "corner {corner} is {off} px off");
    }
    let module = told["quality"]["module_px"].as_f64().expect("a number");
    assert!((module - 8.0).abs() < 0.2, "{module}");
    let uec = told["quality"]["uec"].as_f64().expect("a number");
    assert!(uec > 0.99, "nothing to correct in a clean code: {uec}");
}

#[test]
fn a_micro_code_that_make_made_is_read() {
    let folder = folder();
    for (text, more) in [
        ("12345", &[][..]),
        ("HELLO", &["--scale", "2"]),
        ("beltscan", &["--level", "m"]),
        (
            "AB-12 cd",
            &["--version", "4", "--level", "q", "--quiet-zone", "1"],
        ),
    ] {
        let made = Command::new(env!("CARGO_BIN_EXE_beltscan"))
            .args([&["make", "--micro", "-o", "x.png"], more, &[text]].concat())
            .current_dir(folder.path())
            .status()
            .expect("the program starts");
        assert!(made.success());
        let output = run(folder.path(), &["x.png"]);
        let told = String::from_utf8(output.stdout).expect("text");
        assert!(told.contains(text), "{told}");
        let (lines, code) = lines(folder.path(), &["x.png"]);
        assert_eq!((texts(&lines[0]), code), (vec![text], Some(0)));
        let found = &lines[0]["codes"][0];
        assert_eq!(found["symbology"], "micro_qr");
        assert_eq!(found["aim"], "]Q1");
    }
}

#[test]
fn exif_orientation_turns_size_and_corners() {
    let folder = folder();
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
    // Orientation 6: the camera was turned, show it turned by 90 degrees clockwise.
    let exif = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    encoder
        .set_exif_metadata(exif.to_vec())
        .expect("JPEG takes EXIF");
    let mut wide = GrayImage::from_pixel(432, 232, Luma([230]));
    image::imageops::replace(&mut wide, &label("TURNED"), 0, 0);
    encoder
        .write_image(&wide, 432, 232, image::ExtendedColorType::L8)
        .expect("encodes");
    fs::write(folder.path().join("a.jpg"), bytes).expect("writes");
    let (lines, code) = lines(folder.path(), &["a.jpg"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        (&lines[0]["width"], &lines[0]["height"]),
        (&232.into(), &432.into())
    );
    assert_eq!(texts(&lines[0]), ["TURNED"]);
    // The symbol's first corner, upper left in the file, is upper right when shown.
    let first = &lines[0]["codes"][0]["corners"][0];
    let (x, y) = (first[0].as_f64().expect("x"), first[1].as_f64().expect("y"));
    assert!((x - 200.0).abs() < 2.0 && (y - 32.0).abs() < 2.0, "{first}");
}

#[test]
fn headers_that_claim_gigabytes_are_refused_and_the_rest_is_read() {
    let folder = folder();
    let mut bmp = Vec::new();
    bmp.extend_from_slice(b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0");
    bmp.extend_from_slice(&50_000u32.to_le_bytes());
    bmp.extend_from_slice(&50_000u32.to_le_bytes());
    bmp.extend_from_slice(&[1, 0, 24, 0]);
    bmp.extend_from_slice(&[0; 24]);
    fs::write(folder.path().join("a.bmp"), bmp).expect("writes");
    fs::write(folder.path().join("b.pnm"), b"P6 16384 16384 65535\n").expect("writes");
    save(&folder, "c.png", huge_png(), ImageFormat::Png);
    save(&folder, "d.png", label("AFTER"), ImageFormat::Png);
    let (lines, code) = lines(folder.path(), &["a.bmp", "b.pnm", "c.png", "d.png"]);
    for line in &lines[..3] {
        assert_eq!(line["failure"]["reason"], "too_large", "{line}");
    }
    assert_eq!(texts(&lines[3]), ["AFTER"]);
    assert_eq!(code, Some(1));
}

/// A real PNG of few bytes, one pixel wider than is read.
fn huge_png() -> GrayImage {
    GrayImage::new(16_385, 16)
}

#[test]
fn files_that_are_not_there_are_told_too() {
    let folder = folder();
    save(&folder, "b.png", label("THERE"), ImageFormat::Png);
    fs::create_dir(folder.path().join("empty")).expect("makes a folder");
    let (told, code) = lines(folder.path(), &["a.png", "b.png"]);
    assert_eq!(told[0]["failure"]["reason"], "not_an_image");
    let detail = told[0]["failure"]["detail"].as_str().expect("text");
    assert!(detail.contains("No such file"), "{detail}");
    assert_eq!(texts(&told[1]), ["THERE"]);
    assert_eq!(code, Some(1));

    let output = run(folder.path(), &["empty", "b.png"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"THERE\""));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("empty holds no picture or video"),
        "{errors}"
    );
}

#[test]
fn people_get_text_and_wrong_usage_gets_2() {
    let folder = folder();
    save(&folder, "a.png", label("ESC\u{1b}[2J"), ImageFormat::Png);
    let output = run(folder.path(), &["a.png"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with("a.png (232x232, "), "{text}");
    assert!(text.contains(r#""ESC\u{1b}[2J""#), "{text}");
    assert!(
        !text.contains('\u{1b}'),
        "a payload must not reach the terminal raw"
    );
    assert_eq!(output.status.code(), Some(0));

    for wrong in [
        &[][..],
        &["a.png", "--threads", "many"],
        &["a.png", "--deadline-ms", "-1"],
    ] {
        assert_eq!(
            run(folder.path(), wrong).status.code(),
            Some(2),
            "{wrong:?}"
        );
    }
}

#[test]
fn the_read_section_of_a_configuration_applies() {
    let folder = folder();
    let mut inverted = label("NEGATIVE");
    image::imageops::invert(&mut inverted);
    save(&folder, "a.png", inverted, ImageFormat::Png);
    fs::write(folder.path().join("off.toml"), "[read]\ninverted = false\n").expect("writes");
    fs::write(folder.path().join("bad.toml"), "[read]\ninvertde = false\n").expect("writes");
    assert_eq!(texts(&lines(folder.path(), &["a.png"]).0[0]), ["NEGATIVE"]);
    let (without, code) = lines(folder.path(), &["a.png", "--config", "off.toml"]);
    assert_eq!(texts(&without[0]), [""; 0]);
    assert_eq!(
        code,
        Some(0),
        "a picture that was opened, though nothing was read"
    );
    let bad = run(folder.path(), &["a.png", "--config", "bad.toml"]);
    assert_eq!(bad.status.code(), Some(78));
    let errors = String::from_utf8_lossy(&bad.stderr);
    assert!(
        errors.contains("bad.toml") && errors.contains("invertde"),
        "{errors}"
    );
}

#[test]
fn the_overlay_shows_every_picture_once() {
    let folder = folder();
    save(&folder, "a.png", label("ONE"), ImageFormat::Png);
    fs::create_dir(folder.path().join("sub")).expect("makes a folder");
    fs::copy(folder.path().join("a.png"), folder.path().join("sub/a.png")).expect("copies");
    let output = run(folder.path(), &["a.png", "sub", "--overlay", "drawn/here"]);
    assert_eq!(output.status.code(), Some(0));
    let mut drawn: Vec<PathBuf> = fs::read_dir(folder.path().join("drawn/here"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    drawn.sort();
    let names: Vec<_> = drawn.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(names, ["00001-a.png", "00002-a.png"]);
    let picture = image::open(&drawn[0]).expect("a picture").into_rgb8();
    assert_eq!(picture.dimensions(), (232, 232));
    let [r, g, b] = picture.get_pixel(116, 32).0;
    assert!(
        g > 150 && r < 100 && b < 100,
        "the outline is green: {r} {g} {b}"
    );
}

/// A frame 500 by 300 in which a label's left edge is at `x`, if that is inside.
fn belt(labels: &[(&GrayImage, i64)]) -> GrayImage {
    let mut frame = GrayImage::from_pixel(500, 300, Luma([110]));
    for (label, x) in labels {
        image::imageops::overlay(&mut frame, *label, *x, 34);
    }
    frame
}

/// Lines of `--sequence`.
fn items(folder: &Path, arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = run(folder, &[&["--sequence", "--jsonl"], arguments].concat());
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    (lines, output.status.code())
}

#[test]
fn a_sequence_is_a_line_for_each_item_that_passes() {
    let folder = folder();
    let (one, two) = (label("SAME"), label("SAME"));
    // Its finder patterns stay, what it says does not.
    let mut torn = label("TORN");
    for (index, pixel) in torn.pixels_mut().enumerate() {
        let (x, y) = (index % 232 / 8, index / 232 / 8);
        if (12..25).contains(&x) && (12..25).contains(&y) || (12..17).contains(&x) {
            *pixel = Luma([if (x * 7 + y * 5 + x * y) % 3 == 0 {
                25
            } else {
                230
            }]);
        }
    }
    // 30 px a frame: the second comes 300 px behind the first, the third after it.
    for index in 0..50 {
        let x = 500 - 30 * i64::from(index);
        let frame = belt(&[(&one, x), (&two, x + 300), (&torn, x + 600)]);
        save(
            &folder,
            &format!("f{index:02}.png"),
            frame,
            ImageFormat::Png,
        );
    }
    let known = [
        "--fps",
        "60",
        "--belt-direction",
        "180",
        "--exposure-ms",
        "0.5",
    ];
    for more in [&known[..], &[]] {
        let (items, code) = items(folder.path(), &[&["."], more].concat());
        assert_eq!(code, Some(0));
        let texts: Vec<_> = items
            .iter()
            .map(|item| item["codes"][0]["text"].as_str())
            .collect();
        assert_eq!(texts, [Some("SAME"), Some("SAME"), None], "{items:?}");
        let keys: Vec<&String> = items[0].as_object().expect("an object").keys().collect();
        for key in ["first", "last", "frames", "codes", "ocr", "failure"] {
            assert!(keys.iter().any(|k| *k == key), "{key}");
        }
        // Wholly inside from x = 260 to x = -10: the label's own margin is 32.
        let number = |item: &Value, key: &str| -> u32 {
            let name = item[key].as_str().expect("a name");
            name.trim_start_matches("./f")
                .trim_end_matches(".png")
                .parse()
                .expect(name)
        };
        for (item, start) in items.iter().zip([0, 10, 20]) {
            let (first, last) = (number(item, "first"), number(item, "last"));
            assert!((start + 6..=start + 10).contains(&first), "{item}");
            assert!((start + 14..=start + 20).contains(&last), "{item}");
            assert!(item["frames"].as_u64() >= Some(6), "{item}");
        }
        assert_eq!(items[0]["failure"], Value::Null);
        assert!(items[2]["failure"]["reason"].is_string(), "{}", items[2]);
        assert_eq!(items[2]["codes"], Value::Array(Vec::new()));
    }
    let wrong = run(folder.path(), &["f00.png", "--fps", "30"]);
    assert_eq!(wrong.status.code(), Some(2), "--fps without --sequence");
}

#[test]
fn a_video_is_one_line_with_each_content_once() {
    if !support::has("ffmpeg", "a_video_is_one_line_with_each_content_once") {
        return;
    }
    let folder = folder();
    for (index, text) in ["FIRST", "FIRST", "SECOND"].into_iter().enumerate() {
        save(
            &folder,
            &format!("{index}.png"),
            label(text),
            ImageFormat::Png,
        );
    }
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-framerate",
            "5",
            "-i",
            "%d.png",
            "-pix_fmt",
            "yuv420p",
        ])
        .arg("clip.mp4")
        .current_dir(folder.path())
        .status()
        .expect("ffmpeg starts");
    assert!(made.success());
    fs::write(folder.path().join("broken.mp4"), b"no video").expect("writes");
    let (lines, code) = lines(folder.path(), &["clip.mp4", "broken.mp4"]);
    assert_eq!(lines[0]["frames"], 3);
    assert_eq!(texts(&lines[0]), ["FIRST", "SECOND"]);
    assert_eq!(lines[1]["failure"]["reason"], "not_an_image");
    assert_eq!(code, Some(1));
}

#[test]
fn without_ffmpeg_a_video_says_what_to_install() {
    let folder = folder();
    fs::write(folder.path().join("clip.mp4"), b"never looked at").expect("writes");
    let output = Command::new(env!("CARGO_BIN_EXE_beltscan"))
        .args(["read", "clip.mp4"])
        .current_dir(folder.path())
        .env("PATH", folder.path())
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("install ffmpeg"), "{text}");
}
