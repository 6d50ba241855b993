//! Which files the paths on the command line stand for.

use std::fs;
use std::path::{Path, PathBuf};

/// Names that pictures end with.
const PICTURES: [&str; 11] = [
    "png", "jpg", "jpeg", "jpe", "webp", "bmp", "pnm", "pgm", "ppm", "pbm", "pam",
];

/// Names that videos end with.
const VIDEOS: [&str; 16] = [
    "mp4", "m4v", "mkv", "webm", "avi", "mov", "mpg", "mpeg", "ts", "wmv", "flv", "3gp", "y4m",
    "mjpeg", "mjpg", "h264",
];

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A still picture, or whatever is not known to be a video.
    Picture(PathBuf),
    /// A video.
    Video(PathBuf),
}

impl Input {
    fn of(path: PathBuf) -> Self {
        if ends_in(&path, &VIDEOS) {
            Input::Video(path)
        } else {
            Input::Picture(path)
        }
    }
}

/// Files stand for themselves, there or not; a folder for the pictures and videos
/// in it by name. Also what is wrong with a folder that stands for nothing.
pub(super) fn expand(paths: &[PathBuf]) -> (Vec<Input>, Vec<String>) {
    let (mut inputs, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            inputs.push(Input::of(path.clone()));
            continue;
        }
        match in_folder(path) {
            Ok(found) if found.is_empty() => faults.push(format!(
                "the folder {} holds no picture or video: name a folder with files ending in {} or {}",
                path.display(),
                PICTURES.join(", "),
                VIDEOS.join(", ")
            )),
            Ok(found) => inputs.extend(found),
            Err(error) => faults.push(format!("cannot read {}: {error}", path.display())),
        }
    }
    (inputs, faults)
}

fn in_folder(folder: &Path) -> std::io::Result<Vec<Input>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if (ends_in(&path, &PICTURES) || ends_in(&path, &VIDEOS)) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files.into_iter().map(Input::of).collect())
}

fn ends_in(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            extensions
                .iter()
                .any(|known| extension.eq_ignore_ascii_case(known))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_pictures_and_videos_by_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.PNG", "a.mp4", "c.txt", "a.jpg"] {
            fs::write(folder.path().join(name), b"").expect("writes");
        }
        fs::create_dir(folder.path().join("d.png")).expect("makes a folder");
        let missing = folder.path().join("missing");
        let (inputs, faults) = expand(&[folder.path().to_owned(), missing.clone()]);
        let expected = [
            Input::Picture(folder.path().join("a.jpg")),
            Input::Video(folder.path().join("a.mp4")),
            Input::Picture(folder.path().join("b.PNG")),
            Input::Picture(missing),
        ];
        assert_eq!(inputs, expected);
        assert_eq!(faults, [""; 0]);

        let (inputs, faults) = expand(&[folder.path().join("d.png")]);
        assert!(inputs.is_empty());
        assert!(faults[0].contains("holds no picture"), "{faults:?}");
    }
}
