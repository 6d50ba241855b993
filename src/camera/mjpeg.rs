//! Motion JPEG: where one picture ends in a stream of bytes, and its luma.
//!
//! [`Splitter`] follows the segments of ITU-T T.81 annex B instead of looking
//! for the first end marker, since a thumbnail in an application segment has
//! an end marker of its own. Colour is never decoded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::picture::MAX_SIDE;
use crate::frame::{Frame, Pool};

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DHT: u8 = 0xc4;

/// An application segment that tells the decoder to use the tables of ITU-T
/// T.81 annex K.3 where a picture has none of its own.
const AVI1: [u8; 9] = *b"\xff\xe0\x00\x07AVI1\0";

/// Finds whole pictures in a stream, whatever pieces it comes in.
pub(super) struct Splitter {
    state: State,
    limit: usize,
}

#[derive(Clone, Copy)]
enum State {
    /// Between pictures; `true` after 0xff.
    Hunting(bool),
    /// Inside a picture, before the 0xff of a marker.
    Marker,
    /// After the 0xff of a marker.
    Code,
    /// After a marker's code, before its segment's length.
    Length(u8),
    /// After the first byte of the length.
    LengthLow(u8, u8),
    /// So many bytes of the segment to go.
    Segment(u8, usize),
    /// Entropy-coded data.
    Entropy,
    /// After 0xff in it.
    EntropyCode,
}

impl Splitter {
    /// Pictures of more than `limit` bytes are given up.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            state: State::Hunting(false),
            limit,
        }
    }

    /// Moves bytes from the front of `input` to `picture` until a picture is
    /// whole or the input is used up. Returns how many bytes were used, and
    /// whether the picture is whole. Between two calls `picture` is the
    /// caller's to keep; after a whole one it must be emptied.
    pub(super) fn push(&mut self, input: &[u8], picture: &mut Vec<u8>) -> (usize, bool) {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            let byte = rest[0];
            // Long stretches go over in one piece.
            let stretch = match self.state {
                State::Segment(_, left) => left.min(rest.len()),
                State::Entropy => rest.iter().position(|&b| b == 0xff).unwrap_or(rest.len()),
                _ => 0,
            };
            if stretch > 0 {
                picture.extend_from_slice(&rest[..stretch]);
                used += stretch;
                if let State::Segment(code, left) = self.state {
                    self.state = after_segment(code, left - stretch);
                }
            } else {
                used += 1;
                if !matches!(self.state, State::Hunting(_)) {
                    picture.push(byte);
                }
                if self.step(byte, picture) {
                    self.state = State::Hunting(false);
                    return (used, true);
                }
            }
            if picture.len() > self.limit {
                picture.clear();
                self.state = State::Hunting(false);
            }
        }
        (used, false)
    }

    /// One byte; `true` if it ends the picture.
    fn step(&mut self, byte: u8, picture: &mut Vec<u8>) -> bool {
        self.state = match (self.state, byte) {
            (State::Hunting(true), SOI) | (State::Code | State::EntropyCode, SOI) => {
                // A start where none belongs: the one before was cut off.
                picture.clear();
                picture.extend_from_slice(&[0xff, SOI]);
                State::Marker
            }
            (State::Hunting(_), _) => State::Hunting(byte == 0xff),
            (State::Code | State::EntropyCode, EOI) => return true,
            (State::Marker, 0xff) => State::Code,
            (State::Marker, _) => {
                picture.clear();
                State::Hunting(false)
            }
            (State::Code, 0xff) => State::Code,
            // TEM and RSTm have no segment.
            (State::Code, 0x01 | 0xd0..=0xd7) => State::Marker,
            (State::EntropyCode, 0x00 | 0xd0..=0xd7) => State::Entropy,
            (State::EntropyCode, 0xff) => State::EntropyCode,
            (State::Code | State::EntropyCode, code) => State::Length(code),
            (State::Length(code), high) => State::LengthLow(code, high),
            (State::LengthLow(code, high), low) => {
                // The length counts its own two bytes.
                let length = usize::from(u16::from_be_bytes([high, low]));
                after_segment(code, length.saturating_sub(2))
            }
            (State::Entropy, 0xff) => State::EntropyCode,
            (State::Entropy, _) => State::Entropy,
            // Bytes of a segment go over in stretches.
            (state @ State::Segment(..), _) => state,
        };
        false
    }
}

fn after_segment(code: u8, left: usize) -> State {
    match (code, left) {
        (SOS, 0) => State::Entropy,
        (_, 0) => State::Marker,
        (code, left) => State::Segment(code, left),
    }
}

/// What one JPEG came to.
pub(super) enum Decoded {
    /// Its luma, not stamped yet.
    Frame(Frame),
    /// The pool has no buffer free.
    NoBuffer,
    /// It is broken, or of a kind that no camera writes.
    Corrupt(String),
    /// It is whole but larger than the pool's buffers: width and height.
    TooLarge(usize, usize),
}

/// The luma of the JPEG at the start of `bytes` (padding after it does not
/// matter, nor that most cameras leave out the standard Huffman tables).
pub(super) fn decode(bytes: &[u8], pool: &Pool) -> Decoded {
    // The decoder has been fuzzed, yet what a bad cable makes of a picture must
    // not be able to stop the thread that drives the camera.
    catch_unwind(AssertUnwindSafe(|| decode_unguarded(bytes, pool)))
        .unwrap_or_else(|_| Decoded::Corrupt("the decoder gave up on it".into()))
}

fn decode_unguarded(bytes: &[u8], pool: &Pool) -> Decoded {
    let marked;
    let bytes = if lacks_tables(bytes) {
        marked = [&bytes[..2], &AVI1, &bytes[2..]].concat();
        &marked[..]
    } else {
        bytes
    };
    let options = DecoderOptions::default()
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    if let Err(error) = decoder.decode_headers() {
        return Decoded::Corrupt(error.to_string());
    }
    let Some((width, height)) = decoder.dimensions() else {
        return Decoded::Corrupt("it has no size".into());
    };
    if width * height > pool.buffer_bytes() {
        return Decoded::TooLarge(width, height);
    }
    let Some(mut frame) = pool.take(width, height) else {
        return Decoded::NoBuffer;
    };
    match decoder.decode_into(&mut frame) {
        Ok(()) => Decoded::Frame(frame),
        Err(error) => Decoded::Corrupt(error.to_string()),
    }
}

/// Whether the header ends without a Huffman table.
fn lacks_tables(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, code, high, low]) = bytes.get(at..at + 4) {
        match code {
            DHT => return false,
            SOS => return true,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A JPEG of a ramp, 32 x 16.
    fn jpeg() -> Vec<u8> {
        let picture = image::GrayImage::from_fn(32, 16, |x, _| image::Luma([(x * 8) as u8]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, image::ImageFormat::Jpeg)
            .expect("encodes");
        bytes.into_inner()
    }

    fn split(stream: &[u8], piece: usize, limit: usize) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::new(limit);
        let (mut found, mut picture) = (Vec::new(), Vec::new());
        for mut part in stream.chunks(piece) {
            while !part.is_empty() {
                let (used, whole) = splitter.push(part, &mut picture);
                part = &part[used..];
                if whole {
                    found.push(std::mem::take(&mut picture));
                }
            }
        }
        found
    }

    #[test]
    fn pictures_are_found_whatever_pieces_they_come_in() {
        let one = jpeg();
        let mut with_thumbnail = vec![0xff, 0xd8, 0xff, 0xe1];
        with_thumbnail.extend((one.len() as u16 + 2).to_be_bytes());
        with_thumbnail.extend(&one);
        with_thumbnail.extend(&one[2..]);
        let stream: Vec<u8> = [
            &one[7..], // the end of a picture whose start was missed
            &with_thumbnail,
            b"\r\n--boundary\r\nContent-Length: 9\r\n\r\n",
            &one,
            // Cut off in its entropy-coded data. (A cut inside a segment of the
            // header would cost the next picture too: its start is taken for
            // the rest of the segment.)
            &one[..one.len() - 8],
            &one,
        ]
        .concat();
        for piece in [1, 2, 3, 7, 64, stream.len()] {
            let found = split(&stream, piece, 1 << 20);
            assert_eq!(
                found,
                [with_thumbnail.clone(), one.clone(), one.clone()],
                "in pieces of {piece}"
            );
        }
    }

    #[test]
    fn a_picture_that_never_ends_is_given_up_at_the_limit() {
        let one = jpeg();
        let head = &one[..one.len() - 2];
        let stream = [head, &vec![0x55; 100_000], &one].concat();
        let mut splitter = Splitter::new(one.len());
        let (mut picture, mut rest, mut whole) = (Vec::new(), &stream[..], false);
        while !rest.is_empty() && !whole {
            let (used, done) = splitter.push(&rest[..rest.len().min(512)], &mut picture);
            assert!(picture.len() <= one.len() + 512);
            rest = &rest[used..];
            whole = done;
        }
        assert!(whole);
        assert_eq!(picture, one);
    }

    #[test]
    fn luma_comes_out_and_faults_are_told_apart() {
        let one = jpeg();
        let pool = Pool::new(1, 32 * 16);
        let Decoded::Frame(frame) = decode(&[&one[..], &[0; 100]].concat(), &pool) else {
            panic!("a sound picture with padding after it");
        };
        assert_eq!((frame.width(), frame.height()), (32, 16));
        assert!(frame.luma().at(0, 8) < 12 && frame.luma().at(31, 8) > 240);
        assert!(matches!(decode(&one, &pool), Decoded::NoBuffer));
        drop(frame);
        assert!(matches!(
            decode(&one, &Pool::new(1, 100)),
            Decoded::TooLarge(32, 16)
        ));
        assert!(matches!(
            decode(&one[..one.len() - 20], &pool),
            Decoded::Corrupt(_)
        ));
        assert!(matches!(decode(b"\xff\xd8 no", &pool), Decoded::Corrupt(_)));
        assert_eq!(pool.free(), 1, "a failed picture gives its buffer back");
    }

    /// Cameras leave out the tables of ITU-T T.81 annex K.3.
    #[test]
    fn a_picture_without_huffman_tables_is_read() {
        let one = jpeg();
        let (mut bare, mut at) = (one[..2].to_vec(), 2);
        while one[at + 1] != SOS {
            let length = 2 + usize::from(u16::from_be_bytes([one[at + 2], one[at + 3]]));
            if one[at + 1] != DHT {
                bare.extend_from_slice(&one[at..at + length]);
            }
            at += length;
        }
        bare.extend_from_slice(&one[at..]);
        assert!(bare.len() + 100 < one.len());
        let pool = Pool::new(2, 32 * 16);
        match (decode(&bare, &pool), decode(&one, &pool)) {
            (Decoded::Frame(bare), Decoded::Frame(whole)) => assert_eq!(bare[..], whole[..]),
            (Decoded::Corrupt(why), _) => panic!("{why}"),
            _ => panic!("no frame"),
        }
    }

    proptest! {
        #[test]
        fn no_bytes_bring_the_splitter_or_the_decoder_down(
            flips in prop::collection::vec((0usize..2000, any::<u8>()), 0..20),
            cut in 0usize..2000,
        ) {
            let mut bytes = jpeg();
            for (at, to) in flips {
                let at = at % bytes.len();
                bytes[at] = to;
            }
            bytes.truncate(bytes.len().saturating_sub(cut % 700));
            let pool = Pool::new(1, 64 * 64);
            let _ = decode_unguarded(&bytes, &pool);
            prop_assert_eq!(pool.free(), 1);
            for picture in split(&bytes, 13, 5000) {
                prop_assert!(picture.len() <= 5000);
            }
        }
    }
}
