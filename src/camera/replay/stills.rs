//! Pictures in files: one, or a folder of them in the order of their names.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Played;
use crate::camera::picture::{self, Picture};
use crate::camera::{CameraError, CameraErrorKind};
use crate::frame::Pool;

/// Names that pictures in a folder end with.
const EXTENSIONS: [&str; 10] = [
    "png", "jpg", "jpeg", "webp", "bmp", "pnm", "pgm", "ppm", "pbm", "pam",
];

/// The files, and how far they are played.
pub(super) struct Stills {
    files: Vec<PathBuf>,
    at: usize,
    /// A picture that has been read but found no buffer.
    pending: Option<Picture>,
}

impl Stills {
    /// `None` if `path` is a file but no picture: it may be a video.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, CameraError> {
        let files = if path.is_dir() {
            in_folder(path).map_err(|error| unreadable(path, &error))?
        } else if is_picture(path).map_err(|error| unreadable(path, &error))? {
            vec![path.to_owned()]
        } else {
            return Ok(None);
        };
        if files.is_empty() {
            return Err(CameraError {
                kind: CameraErrorKind::Absent,
                message: format!("the folder {} holds no picture", path.display()),
                cure: format!(
                    "put pictures there whose names end in {}",
                    EXTENSIONS.join(", ")
                ),
            });
        }
        Ok(Some(Self {
            files,
            at: 0,
            pending: None,
        }))
    }

    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    pub(super) fn rewind(&mut self) {
        self.at = 0;
    }

    /// Passes over up to `count` pictures, but never the last one; returns how
    /// many.
    pub(super) fn skip(&mut self, count: u64) -> u64 {
        let left = (self.files.len() - self.at).saturating_sub(1) as u64;
        let skipped = count.min(left);
        if skipped > 0 {
            self.pending = None;
            self.at += skipped as usize;
        }
        skipped
    }

    pub(super) fn next(&mut self, pool: &Pool) -> Result<Played, CameraError> {
        let Some(file) = self.files.get(self.at) else {
            return Ok(Played::End);
        };
        let picture = match self.pending.take() {
            Some(picture) => picture,
            None => match picture::load(file) {
                Ok(picture) => picture,
                Err(error) => {
                    log::warn!("{} is passed over: {error}", file.display());
                    self.at += 1;
                    return Ok(Played::Skipped);
                }
            },
        };
        let (width, height) = (picture.width, picture.height);
        if width * height > pool.buffer_bytes() {
            log::warn!(
                "{} is passed over: it is {width}x{height}; set camera.width and camera.height to \
                 the largest picture's size",
                file.display()
            );
            self.at += 1;
            return Ok(Played::Skipped);
        }
        let Some(mut frame) = pool.take(width, height) else {
            self.pending = Some(picture);
            return Ok(Played::NoBuffer);
        };
        frame.copy_from_slice(&picture.luma);
        self.at += 1;
        Ok(Played::Frame(frame))
    }
}

fn in_folder(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let known = extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()));
        if known && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_picture(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(64).read_to_end(&mut head)?;
    Ok(image::guess_format(&head).is_ok_and(|format| format.reading_enabled()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> CameraError {
    let (kind, cure) = match error.kind() {
        std::io::ErrorKind::PermissionDenied => (
            CameraErrorKind::Refused,
            "let the user that runs beltscan read it",
        ),
        _ => (
            CameraErrorKind::Absent,
            "set camera.path to a picture, a folder or a video",
        ),
    };
    CameraError {
        kind,
        message: format!("{} cannot be read: {error}", path.display()),
        cure: cure.into(),
    }
}
