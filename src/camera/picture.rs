//! Still pictures: the bytes of a file to an upright luma plane.
//!
//! PNG, JPEG, WebP, BMP and PNM, 8 and 16 bit, colour or grey. Colour becomes
//! luma by the weights of ITU-R BT.601, which are those of JPEG and of cameras'
//! YUV, so that a picture means the same whichever way it came. What is
//! transparent shows the white paper behind it. The picture is turned as its
//! EXIF orientation says.
//!
//! Sizes are checked against [`MAX_SIDE`] and [`MAX_BYTES`] before anything is
//! decoded: a file of a few bytes may claim to be gigabytes of picture. What is
//! in the picture is not this file's business.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Pixel,
};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::frame::Luma;

/// Largest width or height in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// Most bytes of a file, and most bytes that its decoder may need beside them:
/// 512 MiB, which is 178 megapixels of 8-bit colour, or 76 megapixels of colour
/// JPEG (a JPEG in several scans keeps two bytes for each sample to the end).
pub const MAX_BYTES: u64 = 512 << 20;

/// A still picture as luma: `height` rows of `width` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The pixels, row by row without padding.
    pub luma: Vec<u8>,
    /// Width in pixels, after turning.
    pub width: usize,
    /// Height in pixels, after turning.
    pub height: usize,
}

/// Why there is no picture.
#[derive(Debug)]
pub enum PictureError {
    /// The file cannot be opened or read.
    Open(io::Error),
    /// It is no picture of a kind that can be read, or a broken one.
    NotAnImage(String),
    /// It is a picture beyond [`MAX_SIDE`] or [`MAX_BYTES`].
    TooLarge(String),
}

impl Picture {
    /// The pixels as a view.
    pub fn view(&self) -> Luma<'_> {
        Luma::new(&self.luma, self.width, self.height, self.width)
            .expect("a picture holds width times height bytes")
    }

    fn from_gray(gray: GrayImage) -> Self {
        let (width, height) = gray.dimensions();
        Self {
            luma: gray.into_raw(),
            width: width as usize,
            height: height as usize,
        }
    }
}

impl PictureError {
    /// Its name in JSON lines: `not_an_image` or `too_large`.
    pub fn reason(&self) -> &'static str {
        match self {
            PictureError::Open(_) | PictureError::NotAnImage(_) => "not_an_image",
            PictureError::TooLarge(_) => "too_large",
        }
    }
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PictureError::Open(error) => write!(f, "cannot be opened: {error}"),
            PictureError::NotAnImage(detail) => write!(
                f,
                "not a picture that can be read ({detail}); PNG, JPEG, WebP, BMP and PNM can be"
            ),
            PictureError::TooLarge(detail) => write!(
                f,
                "too large ({detail}); at most {MAX_SIDE} pixels a side and {} MiB of pixels \
                 can be read: cut or shrink it",
                MAX_BYTES >> 20
            ),
        }
    }
}

impl std::error::Error for PictureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PictureError::Open(error) => Some(error),
            _ => None,
        }
    }
}

/// Reads the picture in the file at `path`.
pub fn load(path: &Path) -> Result<Picture, PictureError> {
    let file = File::open(path).map_err(PictureError::Open)?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a file that grows, or a pipe that
    // never ends, is told from one that just fits.
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(PictureError::Open)?;
    from_bytes(&bytes)
}

/// Reads the picture in `bytes`, the whole content of a file.
pub fn from_bytes(bytes: &[u8]) -> Result<Picture, PictureError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PictureError::TooLarge(format!(
            "the file is over {} MiB",
            MAX_BYTES >> 20
        )));
    }
    let format = image::guess_format(bytes)
        .map_err(|_| PictureError::NotAnImage("its first bytes are those of no picture".into()))?;
    let (mut picture, orientation) = match luma_of_jpeg(bytes, format)? {
        Some(decoded) => decoded,
        None => any(bytes, format)?,
    };
    picture.apply_orientation(orientation);
    Ok(Picture::from_gray(picture.into_luma8()))
}

/// The luma plane of a JPEG, without its chroma ever being decoded; `None` if
/// this is no JPEG or one that has no luma plane (RGB, CMYK).
fn luma_of_jpeg(
    bytes: &[u8],
    format: ImageFormat,
) -> Result<Option<(DynamicImage, Orientation)>, PictureError> {
    if format != ImageFormat::Jpeg {
        return Ok(None);
    }
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let broken = |error: zune_jpeg::errors::DecodeErrors| PictureError::NotAnImage(one_line(error));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(broken)?;
    let (Some(info), Some(colours)) = (decoder.info(), decoder.input_colorspace()) else {
        return Ok(None);
    };
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    // One byte of luma, and all coefficients: a picture in several scans keeps
    // them, two bytes each, until its last scan.
    let kept = 1 + 2 * u64::from(info.components);
    check_size(width, height, kept)?;
    if !matches!(colours, ColorSpace::YCbCr | ColorSpace::Luma) {
        return Ok(None);
    }
    let orientation = info
        .exif_data
        .as_deref()
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms);
    let luma = decoder.decode().map_err(broken)?;
    let gray = GrayImage::from_raw(width, height, luma)
        .ok_or_else(|| PictureError::NotAnImage("the JPEG ends too soon".into()))?;
    Ok(Some((gray.into(), orientation)))
}

/// Any picture, as 8-bit grey.
fn any(bytes: &[u8], format: ImageFormat) -> Result<(DynamicImage, Orientation), PictureError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(from_image)?;
    let (width, height) = decoder.dimensions();
    check_size(
        width,
        height,
        u64::from(decoder.color_type().bytes_per_pixel()),
    )?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(from_image)?;
    Ok((on_white(picture).into(), orientation))
}

/// Refuses what is beyond the bounds, before any of it is allocated.
fn check_size(width: u32, height: u32, bytes_per_pixel: u64) -> Result<(), PictureError> {
    let bytes = (u64::from(width) * u64::from(height)).saturating_mul(bytes_per_pixel);
    if width > MAX_SIDE || height > MAX_SIDE || bytes > MAX_BYTES {
        return Err(PictureError::TooLarge(format!(
            "{width} by {height} pixels"
        )));
    }
    if width == 0 || height == 0 {
        return Err(PictureError::NotAnImage("it has no pixels".into()));
    }
    Ok(())
}

/// The luma of `picture` as it looks on white paper.
fn on_white(picture: DynamicImage) -> GrayImage {
    let picture = match picture {
        DynamicImage::ImageLuma8(gray) => return gray,
        DynamicImage::ImageRgb8(rgb) => return each(&rgb, |[r, g, b]| luma8(r, g, b)),
        DynamicImage::ImageLumaA8(gray) => return each(&gray, |[y, alpha]| over_white(y, alpha)),
        DynamicImage::ImageRgba8(rgba) => {
            return each(&rgba, |[r, g, b, alpha]| over_white(luma8(r, g, b), alpha));
        }
        deep => deep,
    };
    // 16 bits: the upper byte of each sample says what luma needs.
    let high = |sample: u16| (sample >> 8) as u8;
    match picture {
        DynamicImage::ImageLuma16(gray) => each(&gray, |[y]| high(y)),
        DynamicImage::ImageRgb16(rgb) => {
            each(&rgb, |[r, g, b]: [u16; 3]| luma8(high(r), high(g), high(b)))
        }
        DynamicImage::ImageLumaA16(gray) => each(&gray, |[y, alpha]: [u16; 2]| {
            over_white(high(y), high(alpha))
        }),
        other => each(&other.into_rgba16(), |[r, g, b, alpha]: [u16; 4]| {
            over_white(luma8(high(r), high(g), high(b)), high(alpha))
        }),
    }
}

/// A grey picture of what `to_luma` makes of each pixel's `N` samples.
fn each<P: Pixel, const N: usize>(
    picture: &image::ImageBuffer<P, Vec<P::Subpixel>>,
    to_luma: impl Fn([P::Subpixel; N]) -> u8,
) -> GrayImage {
    let (width, height) = picture.dimensions();
    let (pixels, _) = picture.as_raw().as_chunks::<N>();
    let luma = pixels.iter().map(|&samples| to_luma(samples)).collect();
    GrayImage::from_raw(width, height, luma).expect("one byte for each pixel")
}

/// Luma by ITU-R BT.601, in 1/256.
fn luma8(r: u8, g: u8, b: u8) -> u8 {
    ((77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b) + 128) >> 8) as u8
}

/// `luma` of opacity `alpha` on white.
fn over_white(luma: u8, alpha: u8) -> u8 {
    255 - ((u32::from(255 - luma) * u32::from(alpha) + 127) / 255) as u8
}

fn from_image(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => PictureError::TooLarge("by what its header claims".into()),
        other => PictureError::NotAnImage(one_line(other)),
    }
}

/// Decoders' messages come in several lines; ours are one.
fn one_line(error: impl fmt::Display) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder, Luma as Grey, LumaA, Rgb, Rgba};

    use super::*;

    /// 24 by 16, dark in the upper left quarter only.
    fn quarter() -> GrayImage {
        GrayImage::from_fn(24, 16, |x, y| {
            Grey([if x < 12 && y < 8 { 20 } else { 230 }])
        })
    }

    fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture
            .into()
            .write_to(&mut bytes, format)
            .expect("encodes");
        bytes.into_inner()
    }

    fn dark(picture: &Picture) -> Vec<(usize, usize)> {
        // One probe in the middle of each quarter.
        let (w, h) = (picture.width, picture.height);
        [
            (w / 4, h / 4),
            (3 * w / 4, h / 4),
            (3 * w / 4, 3 * h / 4),
            (w / 4, 3 * h / 4),
        ]
        .into_iter()
        .filter(|&(x, y)| picture.view().at(x, y) < 128)
        .map(|(x, y)| (x * 2 / w, y * 2 / h))
        .collect()
    }

    #[test]
    fn every_format_gives_the_same_grey() {
        for format in [
            ImageFormat::Png,
            ImageFormat::Bmp,
            ImageFormat::Pnm,
            ImageFormat::WebP,
            ImageFormat::Jpeg,
        ] {
            let bytes = match format {
                // The encoders of these two know no grey.
                ImageFormat::WebP | ImageFormat::Bmp => {
                    encode(DynamicImage::from(quarter()).into_rgb8(), format)
                }
                _ => encode(quarter(), format),
            };
            let picture = from_bytes(&bytes).expect("a picture");
            assert_eq!((picture.width, picture.height), (24, 16), "{format:?}");
            let worst = picture
                .luma
                .iter()
                .zip(quarter().iter())
                .map(|(a, b)| a.abs_diff(*b))
                .max();
            let allowed = if format == ImageFormat::Jpeg { 12 } else { 0 };
            assert!(worst <= Some(allowed), "{format:?}: off by {worst:?}");
        }
    }

    #[test]
    fn deep_colour_keeps_its_luma_and_transparency_is_white() {
        let wide = image::ImageBuffer::from_pixel(3, 2, Rgb([0xffffu16, 0, 0]));
        let picture = from_bytes(&encode(wide, ImageFormat::Png)).expect("a picture");
        assert_eq!(picture.luma, [77; 6], "red's share in BT.601");

        let grey =
            image::ImageBuffer::from_fn(2, 1, |x, _| Grey([[0x1234u16, 0xffff][x as usize]]));
        for format in [ImageFormat::Png, ImageFormat::Pnm] {
            let picture = from_bytes(&encode(grey.clone(), format)).expect("a picture");
            assert_eq!(picture.luma, [0x12, 0xff], "{format:?}");
        }

        let glass =
            image::ImageBuffer::from_fn(3, 1, |x, _| Rgba([0u8, 0, 0, [0, 255, 51][x as usize]]));
        let picture = from_bytes(&encode(glass, ImageFormat::Png)).expect("a picture");
        assert_eq!(picture.luma, [255, 0, 204]);

        let deep = image::ImageBuffer::from_pixel(1, 1, LumaA([0u16, 0]));
        let picture = from_bytes(&encode(deep, ImageFormat::Png)).expect("a picture");
        assert_eq!(picture.luma, [255]);
    }

    /// A JPEG whose EXIF orientation is `orientation`.
    fn turned_jpeg(orientation: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
        let exif = [
            b"II\x2a\x00\x08\x00\x00\x00\x01\x00".as_slice(),
            &[0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0],
            &[0; 4],
        ]
        .concat();
        encoder.set_exif_metadata(exif).expect("JPEG takes EXIF");
        let picture = quarter();
        encoder
            .write_image(&picture, 24, 16, ExtendedColorType::L8)
            .expect("encodes");
        bytes
    }

    #[test]
    fn exif_turns_the_picture() {
        // Where the dark quarter lies once the picture is upright: (column, row).
        let upright = [
            (1, (0, 0)),
            (2, (1, 0)),
            (3, (1, 1)),
            (4, (0, 1)),
            (5, (0, 0)),
            (6, (1, 0)),
            (7, (1, 1)),
            (8, (0, 1)),
        ];
        for (orientation, place) in upright {
            let picture = from_bytes(&turned_jpeg(orientation)).expect("a picture");
            let size = if orientation < 5 { (24, 16) } else { (16, 24) };
            assert_eq!((picture.width, picture.height), size, "{orientation}");
            assert_eq!(dark(&picture), [place], "orientation {orientation}");
        }
    }

    #[test]
    fn a_huge_claim_is_refused_before_it_is_allocated() {
        let side = 60_000u32;
        let png = [
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(),
            &side.to_be_bytes(),
            &side.to_be_bytes(),
            &[8, 2, 0, 0, 0],
            // The CRC of a header with this very content.
            &crc32(
                &[
                    b"IHDR".as_slice(),
                    &side.to_be_bytes(),
                    &side.to_be_bytes(),
                    &[8, 2, 0, 0, 0],
                ]
                .concat(),
            )
            .to_be_bytes(),
            b"\0\0\0\0IDAT\x35\xaf\x06\x1e",
        ]
        .concat();
        let bmp = [
            b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".as_slice(),
            &side.to_le_bytes(),
            &side.to_le_bytes(),
            &[1, 0, 24, 0],
            &[0; 24],
        ]
        .concat();
        let pnm = b"P6 60000 60000 255\n".to_vec();
        let mut jpeg = turned_jpeg(1);
        let frame_header = jpeg
            .windows(2)
            .position(|pair| pair == [0xff, 0xc0])
            .expect("a baseline JPEG");
        jpeg[frame_header + 5..][..4].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
        for (name, bytes) in [("png", png), ("bmp", bmp), ("pnm", pnm), ("jpeg", jpeg)] {
            let error = from_bytes(&bytes).expect_err(name);
            assert_eq!(error.reason(), "too_large", "{name}: {error}");
        }
        // Within the longest side, but not within memory: 16 bits, three samples.
        let error = from_bytes(b"P6 16384 16384 65535\n").expect_err("too large");
        assert_eq!(error.reason(), "too_large", "{error}");
    }

    /// CRC-32 as PNG has it, for a header that no encoder would write.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        })
    }

    #[test]
    fn broken_files_are_errors_of_one_line() {
        let png = encode(quarter(), ImageFormat::Png);
        let bmp = encode(DynamicImage::from(quarter()).into_rgb8(), ImageFormat::Bmp);
        for bytes in [
            b"".as_slice(),
            b"GIF89a",
            b"hello, this is text",
            &png[..40],
            &bmp[..60],
            b"\xff\xd8\xff\xe0",
            b"P5 4 4 255\n\0",
            b"RIFF\x10\0\0\0WEBPVP8 ",
        ] {
            let error = from_bytes(bytes).expect_err("no picture");
            assert_eq!(error.reason(), "not_an_image", "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        let error = load(Path::new("/no/such/picture.png")).expect_err("no such file");
        assert!(matches!(error, PictureError::Open(_)), "{error}");
    }

    #[test]
    fn damaged_files_never_panic() {
        let rgb = DynamicImage::from(quarter()).into_rgb8();
        let mut rng = fastrand::Rng::with_seed(7);
        for whole in [
            encode(quarter(), ImageFormat::Png),
            encode(rgb.clone(), ImageFormat::Jpeg),
            encode(rgb.clone(), ImageFormat::WebP),
            encode(rgb.clone(), ImageFormat::Bmp),
            encode(rgb, ImageFormat::Pnm),
            turned_jpeg(6),
        ] {
            for _ in 0..200 {
                let mut bytes = whole.clone();
                for _ in 0..rng.usize(1..6) {
                    let at = rng.usize(..bytes.len());
                    bytes[at] = rng.u8(..);
                }
                bytes.truncate(rng.usize(bytes.len() / 2..=bytes.len()));
                if let Ok(picture) = from_bytes(&bytes) {
                    assert_eq!(picture.luma.len(), picture.width * picture.height);
                }
            }
        }
    }
}
