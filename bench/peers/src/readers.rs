//! The readers that are compared, each behind the same small trait.
//!
//! Every reader gets an 8-bit luma plane without padding and gives back texts
//! and places. What a reader's own interface demands beyond that, a copy of the
//! plane for instance, is part of its time: a user pays for it too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use beltscan::camera::picture::Picture;
use beltscan::geometry::{Point, Quad};

use crate::clock::now_s;
use crate::python;

/// One code as a reader reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Its text; bytes that are no UTF-8 stand as ISO 8859-1.
    pub text: String,
    /// Where.
    pub centre: Point,
}

/// A QR reader, used from one thread.
pub trait Reader {
    /// As the table and `--readers` have it.
    fn name(&self) -> &'static str;

    /// Slow readers are measured once for each picture and give a set up when
    /// they have spent `--patience` on it.
    fn slow(&self) -> bool {
        false
    }

    /// Reads every code of `picture`.
    fn read(&mut self, picture: &Picture) -> Vec<Read>;

    /// The same, and how many seconds it took, on the wall or (`cpu`) of processor
    /// time of who does it.
    fn timed(&mut self, picture: &Picture, cpu: bool) -> (Vec<Read>, f64) {
        let begun = now_s(cpu);
        let reads = self.read(picture);
        (reads, now_s(cpu) - begun)
    }
}

/// Beltscan's own reader in the tables.
pub const OURS: &str = "beltscan";

/// In the tables: what at least one reader read that is not [`OURS`].
pub const OTHERS: &str = "(any other)";

/// Which symbologies are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// QR codes.
    Qr,
    /// QR, Micro QR and rMQR codes.
    Family,
    /// QR codes in frames of one camera, in their order.
    Frames,
}

/// All readers whose name is in `names`; every one that can be had if that is empty.
/// The first is the one the others are compared with.
///
/// Errors: a name that no reader has, or a reader that does not start.
pub fn all(wanted: Wanted, names: &[String]) -> Result<Vec<Box<dyn Reader>>, String> {
    let mut all: Vec<Box<dyn Reader>> = vec![
        Box::new(ZxingCpp::new(wanted, false)),
        Box::new(ZxingCpp::new(wanted, true)),
        Box::new(crate::ours::Beltscan::new(wanted)),
        Box::new(Rxing { wanted }),
        Box::new(Zedbar::new()),
        Box::new(Rqrr),
        Box::new(Quircs::default()),
    ];
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    for name in python::NAMES {
        if is_wanted(name) {
            match python::Child::start(name) {
                Ok(child) => all.push(Box::new(child)),
                Err(python::Missing::Interpreter) if names.is_empty() => {}
                Err(missing) => return Err(format!("{name}: {missing}")),
            }
        }
    }
    let unknown = |name: &&String| !all.iter().any(|reader| reader.name() == *name);
    if let Some(name) = names.iter().find(unknown) {
        let known: Vec<&str> = all.iter().map(|reader| reader.name()).collect();
        return Err(format!(
            "there is no reader {name}; there are {}, and with {} {}",
            known.join(", "),
            python::INTERPRETER,
            python::NAMES.join(", ")
        ));
    }
    let first = all[0].name();
    all.retain(|reader| reader.name() == first || is_wanted(reader.name()));
    Ok(all)
}

fn lossy(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// zxing-cpp, the C++ library, through its own Rust binding.
struct ZxingCpp {
    name: &'static str,
    reader: zxingcpp::BarcodeReader,
}

impl ZxingCpp {
    /// `lean` leaves out the second looks at the picture: turned, inverted,
    /// downscaled. The default has them all.
    fn new(wanted: Wanted, lean: bool) -> Self {
        use zxingcpp::BarcodeFormat::{MicroQRCode, QRCode, RMQRCode};
        let formats = match wanted {
            Wanted::Qr | Wanted::Frames => vec![QRCode],
            Wanted::Family => vec![QRCode, MicroQRCode, RMQRCode],
        };
        let reader = zxingcpp::read()
            .formats(formats)
            .text_mode(zxingcpp::TextMode::Plain);
        if lean {
            Self {
                name: "zxing-cpp-lean",
                reader: reader
                    .try_rotate(false)
                    .try_invert(false)
                    .try_downscale(false),
            }
        } else {
            Self {
                name: "zxing-cpp",
                reader,
            }
        }
    }
}

impl Reader for ZxingCpp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, picture: &Picture) -> Vec<Read> {
        let Ok(view) = zxingcpp::ImageView::from_slice(
            &picture.luma,
            picture.width,
            picture.height,
            zxingcpp::ImageFormat::Lum,
        ) else {
            return Vec::new();
        };
        let barcodes = self.reader.from(view).unwrap_or_default();
        barcodes
            .iter()
            .map(|barcode| {
                let p = barcode.position();
                let corners = [p.top_left, p.top_right, p.bottom_right, p.bottom_left];
                Read {
                    text: barcode.text(),
                    centre: Quad(corners.map(|c| Point::new(c.x as f32, c.y as f32))).centre(),
                }
            })
            .collect()
    }
}

/// rxing's port of zxing-cpp's QR reader, with `TryHarder`.
struct Rxing {
    wanted: Wanted,
}

impl Reader for Rxing {
    fn name(&self) -> &'static str {
        "rxing"
    }

    fn slow(&self) -> bool {
        true
    }

    fn read(&mut self, picture: &Picture) -> Vec<Read> {
        use rxing::BarcodeFormat::{MICRO_QR_CODE, QR_CODE, RECTANGULAR_MICRO_QR_CODE};
        use rxing::common::HybridBinarizer;
        use rxing::multi::MultipleBarcodeReader;
        let formats = match self.wanted {
            Wanted::Qr | Wanted::Frames => vec![QR_CODE],
            Wanted::Family => vec![QR_CODE, MICRO_QR_CODE, RECTANGULAR_MICRO_QR_CODE],
        };
        let hints = rxing::DecodeHints {
            TryHarder: Some(true),
            PossibleFormats: Some(formats.into_iter().collect()),
            ..Default::default()
        };
        let Ok(source) = rxing::Luma8LuminanceSource::new(
            picture.luma.clone(),
            picture.width as u32,
            picture.height as u32,
        ) else {
            return Vec::new();
        };
        let mut bitmap = rxing::BinaryBitmap::new(HybridBinarizer::new(source));
        // It may panic on odd pictures; that counts as nothing read.
        let found = catch_unwind(AssertUnwindSafe(|| {
            rxing::qrcode::cpp_port::QrReader.decode_multiple_with_hints(&mut bitmap, &hints)
        }));
        let codes = found.ok().and_then(Result::ok).unwrap_or_default();
        codes
            .iter()
            .map(|code| {
                let points = code.getRXingResultPoints();
                let sum = points
                    .iter()
                    .fold(Point::default(), |sum, p| sum + Point::new(p.x, p.y));
                Read {
                    text: code.getText().to_owned(),
                    centre: sum * (1.0 / points.len().max(1) as f32),
                }
            })
            .collect()
    }
}

/// zedbar, a port of ZBar to Rust, with QR codes alone.
struct Zedbar {
    scanner: zedbar::Scanner,
}

impl Zedbar {
    fn new() -> Self {
        let config = zedbar::DecoderConfig::new()
            .enable(zedbar::config::QrCode)
            .test_inverted(true)
            .retry_undecoded_regions(true);
        Self {
            scanner: zedbar::Scanner::with_config(config),
        }
    }
}

impl Reader for Zedbar {
    fn name(&self) -> &'static str {
        "zedbar"
    }

    fn slow(&self) -> bool {
        true
    }

    fn read(&mut self, picture: &Picture) -> Vec<Read> {
        let (width, height) = (picture.width as u32, picture.height as u32);
        let Ok(mut image) = zedbar::Image::from_gray(&picture.luma, width, height) else {
            return Vec::new();
        };
        let scanner = &mut self.scanner;
        let Ok(result) = catch_unwind(AssertUnwindSafe(|| scanner.scan(&mut image))) else {
            *self = Self::new();
            return Vec::new();
        };
        result
            .symbols()
            .iter()
            .map(|symbol| {
                let centre = symbol.bounds().map_or(Point::default(), |b| {
                    Point::new(
                        b.x as f32 + b.width as f32 / 2.0,
                        b.y as f32 + b.height as f32 / 2.0,
                    )
                });
                Read {
                    text: lossy(symbol.data()),
                    centre,
                }
            })
            .collect()
    }
}

/// rqrr with its own detector.
struct Rqrr;

impl Reader for Rqrr {
    fn name(&self) -> &'static str {
        "rqrr"
    }

    fn slow(&self) -> bool {
        true
    }

    fn read(&mut self, picture: &Picture) -> Vec<Read> {
        catch_unwind(|| {
            let mut image = rqrr::PreparedImage::prepare_from_greyscale(
                picture.width,
                picture.height,
                |x, y| picture.luma[y * picture.width + x],
            );
            let mut reads = Vec::new();
            for grid in image.detect_grids() {
                let mut bytes = Vec::new();
                if grid.decode_to(&mut bytes).is_ok() {
                    let corners = grid.bounds.map(|p| Point::new(p.x as f32, p.y as f32));
                    reads.push(Read {
                        text: lossy(&bytes),
                        centre: Quad(corners).centre(),
                    });
                }
            }
            reads
        })
        .unwrap_or_default()
    }
}

/// quircs, a port of quirc to Rust.
#[derive(Default)]
struct Quircs {
    decoder: quircs::Quirc,
}

impl Reader for Quircs {
    fn name(&self) -> &'static str {
        "quircs"
    }

    fn slow(&self) -> bool {
        true
    }

    fn read(&mut self, picture: &Picture) -> Vec<Read> {
        let decoder = &mut self.decoder;
        let found = catch_unwind(AssertUnwindSafe(|| {
            let codes = decoder.identify(picture.width, picture.height, &picture.luma);
            let read = |code: quircs::Code| {
                let data = code.decode().ok()?;
                let corners = code.corners.map(|p| Point::new(p.x as f32, p.y as f32));
                Some(Read {
                    text: lossy(&data.payload),
                    centre: Quad(corners).centre(),
                })
            };
            codes.filter_map(Result::ok).filter_map(read).collect()
        }));
        found.unwrap_or_else(|_| {
            *self = Self::default();
            Vec::new()
        })
    }
}
