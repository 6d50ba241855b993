//! Reads a picture with zxing-cpp's default reader, QR codes only, again and
//! again: `zxing TIMES PICTURE`. The twin of `frames read`.

use std::error::Error;
use std::process::ExitCode;

use beltscan::camera::picture::Picture;
use zxingcpp::{BarcodeFormat, ImageFormat, ImageView, TextMode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("zxing: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [times, path] = &arguments[..] else {
        return Err("usage: zxing TIMES PICTURE".into());
    };
    let times: u32 = times.parse()?;
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let picture = Picture::from_pgm(&bytes).ok_or("no PGM as frames draws them")?;
    let reader = zxingcpp::read()
        .formats(vec![BarcodeFormat::QRCode])
        .text_mode(TextMode::Plain);
    let mut codes = 0;
    for _ in 0..times {
        let view = ImageView::from_slice(
            &picture.luma,
            picture.width,
            picture.height,
            ImageFormat::Lum,
        )?;
        codes = reader.from(view)?.len();
    }
    println!("{codes} codes");
    Ok(())
}
