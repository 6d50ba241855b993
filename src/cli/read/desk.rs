//! Reading one file: from its path to the line that tells of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::inputs::Input;
use super::overlay;
use super::report::{Failure, Found, Style, Told};
use super::text::{Sharpest, Texts};
use super::video::Video;
use crate::camera::picture;
use crate::frame::Luma;
use crate::ocr::Line;
use crate::qr::{Code, Hint, Reader, ReaderOptions, Reads};

/// A reader with what it needs; each thread has one.
pub(super) struct Desk {
    options: ReaderOptions,
    reader: Reader,
    /// What the last plane showed.
    reads: Reads,
    texts: Texts,
    /// How to tell of it.
    style: Style,
    overlay: Option<PathBuf>,
}

impl Desk {
    /// Tells in `style`, and draws into the folder `overlay`. Reads text if `texts`.
    pub(super) fn new(
        options: ReaderOptions,
        texts: bool,
        style: Style,
        overlay: Option<PathBuf>,
    ) -> Self {
        Self {
            reader: Reader::new(options.clone()),
            options,
            reads: Reads::default(),
            texts: Texts::new(texts),
            style,
            overlay,
        }
    }

    /// Reads the file that is number `index` of all.
    pub(super) fn read(&mut self, index: usize, input: &Input) -> Told {
        match input {
            Input::Picture(path) => self.picture(index, path),
            Input::Video(path) => self.video(path),
        }
    }

    fn picture(&mut self, index: usize, path: &Path) -> Told {
        let file = path.to_string_lossy();
        let picture = match picture::load(path) {
            Ok(picture) => picture,
            Err(error) => {
                return self
                    .style
                    .unopened(&file, error.reason(), error.to_string());
            }
        };
        self.texts.ready();
        let Some(took) = self.luma(picture.view(), &[]) else {
            return self.style.panicked(&file, picture.view());
        };
        let (lines, text_took) = self.text(picture.view());
        let mut told = self.style.read(Found {
            file: &file,
            size: (picture.width, picture.height),
            frames: None,
            took,
            text_took,
            codes: self.reads.codes.iter().collect(),
            lines: &lines,
            failure: self.failure(),
        });
        if let Some(folder) = &self.overlay {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let drawn = folder.join(format!("{:05}-{name}.png", index + 1));
            if let Err(error) = overlay::write(&drawn, picture.view(), &self.reads, &lines) {
                log::error!("cannot write {}: {error}", drawn.display());
                told.opened = false;
            }
        }
        told
    }

    /// A video is told like a picture that shows what all its frames show: each
    /// content once, as the first frame that has it, and the text of the sharpest
    /// frame.
    fn video(&mut self, path: &Path) -> Told {
        let file = path.to_string_lossy();
        let mut video = match Video::open(path, None) {
            Ok(video) => video,
            Err(error) => return self.style.unopened(&file, "not_an_image", error),
        };
        let mut codes: Vec<Code> = Vec::new();
        let (mut size, mut frames, mut took) = ((0, 0), 0, Duration::ZERO);
        let mut failure = None;
        let mut sharpest = Sharpest::default();
        self.texts.ready();
        loop {
            let frame = match video.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => return self.style.unopened(&file, "not_an_image", error),
            };
            let Some(spent) = self.luma(frame.luma(), &[]) else {
                return self.style.panicked(&file, frame.luma());
            };
            size = (frame.width(), frame.height());
            frames += 1;
            took += spent;
            sharpest.offer(frame.luma());
            for code in self.reads.codes.iter() {
                let same = |known: &Code| {
                    known.symbology == code.symbology && known.content == code.content
                };
                if !codes.iter().any(same) {
                    codes.push(code.clone());
                }
            }
            failure = self.failure().or(failure);
        }
        // What its codes cover is known of the last frame only, which is another.
        self.reads = Reads::default();
        let (lines, text_took) = self.text(sharpest.luma());
        self.style.read(Found {
            file: &file,
            size,
            frames: Some(frames),
            took,
            text_took,
            lines: &lines,
            failure: failure.filter(|_| codes.is_empty()),
            codes: codes.iter().collect(),
        })
    }

    /// The text beside the codes in `self.reads`, and the time that it took; `None` if
    /// no text is asked for. Networks that are built meanwhile count no more than
    /// loading the program does.
    fn text(&mut self, luma: Luma<'_>) -> (Vec<Line>, Option<Duration>) {
        if !self.texts.wanted() {
            return (Vec::new(), None);
        }
        let (start, built) = (Instant::now(), self.texts.building());
        let lines = self.texts.read(luma, &self.reads);
        let building = self.texts.building().saturating_sub(built);
        (lines, Some(start.elapsed().saturating_sub(building)))
    }

    /// Why the last plane showed nothing.
    fn failure(&self) -> Option<Failure> {
        let reason = self.reads.failure?;
        Some(Failure::of(reason, self.reads.unread.len()))
    }

    /// Reads one plane into `self.reads`. `None` if the reader panicked: it is
    /// replaced, since nothing is known of its state.
    fn luma(&mut self, luma: Luma<'_>, hints: &[Hint]) -> Option<Duration> {
        let start = Instant::now();
        let (reader, reads) = (&mut self.reader, &mut self.reads);
        let result = catch_unwind(AssertUnwindSafe(|| reader.read(luma, hints, reads)));
        let took = start.elapsed();
        if result.is_err() {
            self.reader = Reader::new(self.options.clone());
            self.reads = Reads::default();
            return None;
        }
        Some(took)
    }
}
