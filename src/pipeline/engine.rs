//! A reader that may panic, made safe to run for a year.
//!
//! Should the reader panic on a frame, the panic is caught, a fresh reader takes
//! its place (the old one's buffers may be half written), and the circuit
//! breaker opens: until it closes again, [`Fallback`] reads around the places
//! where codes are known to be.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::breaker::Breaker;
use super::fallback::Fallback;
use crate::frame::Luma;
use crate::qr::{Hint, Reader, ReaderOptions, Reads};

/// What reads a frame: our reader, or in tests one that fails on purpose.
pub(super) trait Engine {
    fn read(&mut self, luma: Luma<'_>, hints: &[Hint], reads: &mut Reads);

    /// Gives each frame from now on so much time.
    fn allow(&mut self, time: Duration);
}

impl Engine for Reader {
    fn allow(&mut self, time: Duration) {
        self.set_deadline(Some(time));
    }

    fn read(&mut self, luma: Luma<'_>, hints: &[Hint], reads: &mut Reads) {
        Reader::read(self, luma, hints, reads);
    }
}

/// Who read a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadBy {
    /// The engine.
    Engine,
    /// The fallback, since the breaker is open.
    Fallback,
    /// The fallback, since the engine panicked on this very frame: worth saving.
    FallbackAfterPanic,
}

/// An engine behind a circuit breaker.
pub(super) struct Guarded<E> {
    engine: E,
    build: Box<dyn Fn() -> E + Send>,
    breaker: Breaker,
    fallback: Fallback,
}

impl Guarded<Reader> {
    pub(super) fn reader(options: ReaderOptions) -> Self {
        Self::new(Box::new(move || Reader::new(options.clone())))
    }
}

impl<E: Engine> Guarded<E> {
    pub(super) fn new(build: Box<dyn Fn() -> E + Send>) -> Self {
        Self {
            engine: build(),
            build,
            breaker: Breaker::new(),
            fallback: Fallback::default(),
        }
    }

    /// Reads a frame taken at `now_ns`, one way or the other.
    pub(super) fn read(
        &mut self,
        now_ns: u64,
        luma: Luma<'_>,
        hints: &[Hint],
        reads: &mut Reads,
    ) -> ReadBy {
        if !self.breaker.allows(now_ns) {
            self.fall_back(luma, hints, reads);
            return ReadBy::Fallback;
        }
        let engine = &mut self.engine;
        if catch_unwind(AssertUnwindSafe(|| engine.read(luma, hints, reads))).is_ok() {
            self.breaker.succeeded();
            return ReadBy::Engine;
        }
        self.breaker.failed(now_ns);
        self.engine = (self.build)();
        self.fall_back(luma, hints, reads);
        ReadBy::FallbackAfterPanic
    }

    /// Gives each frame from now on so much time.
    pub(super) fn allow(&mut self, time: Duration) {
        self.engine.allow(time);
    }

    fn fall_back(&mut self, luma: Luma<'_>, hints: &[Hint], reads: &mut Reads) {
        *reads = Reads::default();
        self.fallback.read(luma, hints, &mut reads.codes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Point, Quad};

    /// Panics on frames whose first pixel is black.
    struct Touchy;

    impl Engine for Touchy {
        fn allow(&mut self, _: Duration) {}

        fn read(&mut self, luma: Luma<'_>, _: &[Hint], reads: &mut Reads) {
            assert!(luma.at(0, 0) != 0, "a frame that breaks the reader");
            reads.codes.clear();
            reads.codes.push().content.text.push_str("own");
        }
    }

    #[test]
    fn a_panic_costs_nothing_but_the_better_reader_for_a_while() {
        let code = qrcode::QrCode::new("BOX 1").expect("short text");
        let side = code.width();
        let (width, height) = (side * 4 + 40, side * 4 + 40);
        let mut canvas = vec![230u8; width * height];
        for (i, colour) in code.to_colors().into_iter().enumerate() {
            for dy in 0..4 {
                let start = (20 + i / side * 4 + dy) * width + 20 + i % side * 4;
                canvas[start..start + 4].fill(if colour == qrcode::Color::Dark {
                    10
                } else {
                    230
                });
            }
        }
        let end = 20.0 + side as f32 * 4.0;
        let hint = Hint {
            corners: Quad([
                Point::new(20.0, 20.0),
                Point::new(end, 20.0),
                Point::new(end, end),
                Point::new(20.0, end),
            ]),
            velocity: Point::default(),
            motion: None,
        };
        let mut guarded = Guarded::new(Box::new(|| Touchy));
        let mut reads = Reads::default();
        let mut read = |canvas: &[u8], now_ms: u64| {
            let luma = Luma::new(canvas, width, height, width).expect("fits");
            let by = guarded.read(now_ms * 1_000_000, luma, &[hint], &mut reads);
            (
                by,
                reads
                    .codes
                    .iter()
                    .map(|c| c.content.text.clone())
                    .collect::<Vec<_>>(),
            )
        };

        assert_eq!(read(&canvas, 0), (ReadBy::Engine, vec!["own".to_string()]));
        let good = canvas.clone();
        canvas[0] = 0;
        let panicked = read(&canvas, 16);
        assert_eq!(
            panicked,
            (ReadBy::FallbackAfterPanic, vec!["BOX 1".to_string()])
        );
        assert_eq!(read(&good, 33).0, ReadBy::Fallback, "the breaker is open");
        assert_eq!(read(&good, 300).0, ReadBy::Engine, "the probe succeeds");
        assert_eq!(read(&good, 316).0, ReadBy::Engine);
    }
}
