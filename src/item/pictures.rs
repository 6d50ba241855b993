//! A folder of pictures of what was not read, bounded by count, bytes and age.
//!
//! Labels show names and addresses: folder and files are for the daemon's user
//! alone. Names begin with the UTC time, so that they sort by age, and say what
//! they show. The oldest make room. A folder that cannot be written to is said
//! once on the log and counted; nothing else suffers.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use crate::config::NoReadsPlan;
use crate::frame::Luma;
use crate::geometry::Quad;

/// Crops held at a time by the tracker.
pub(super) const MAX_CROPS: usize = 8;
/// Largest crop or frame kept, in pixels; larger ones are kept smaller.
const MAX_PIXELS: usize = 1 << 21;

/// Pixels of their own: a crop of a frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    data: Vec<u8>,
    width: usize,
    height: usize,
    rank: f32,
}

impl Picture {
    /// Copies `luma`, or what `corners` cover of it with a margin, into `slot`
    /// if that is empty or holds a clearly lower rank.
    pub fn keep(slot: &mut Option<Picture>, luma: &Luma<'_>, corners: Option<&Quad>, rank: f32) {
        if slot.as_ref().is_some_and(|old| old.rank * 1.1 >= rank) {
            return;
        }
        let part = match corners {
            None => *luma,
            Some(corners) => {
                let (left, top, right, bottom) = corners.bounds();
                let margin = 0.5 * (right - left).max(bottom - top);
                // Casting saturates: what lies outside becomes the rim.
                let (x, y) = ((left - margin) as usize, (top - margin) as usize);
                let (x2, y2) = ((right + margin) as usize, (bottom + margin) as usize);
                luma.crop(x, y, x2.saturating_sub(x), y2.saturating_sub(y))
            }
        };
        if part.width() == 0 || part.height() == 0 {
            return;
        }
        let mut step = 1;
        while (part.width() / step) * (part.height() / step) > MAX_PIXELS {
            step += 1;
        }
        let picture = slot.get_or_insert_default();
        picture.width = part.width() / step;
        picture.height = part.height() / step;
        picture.rank = rank;
        picture.data.clear();
        for y in 0..picture.height {
            let row = part.row(y * step);
            match step {
                1 => picture.data.extend_from_slice(row),
                _ => picture
                    .data
                    .extend(row.iter().step_by(step).take(picture.width)),
            }
        }
    }

    /// The pixels; `None` only if nothing was kept yet.
    pub fn luma(&self) -> Option<Luma<'_>> {
        Luma::new(&self.data, self.width, self.height, self.width)
    }
}

/// The folder.
#[derive(Debug)]
pub struct Pictures {
    dir: PathBuf,
    max_files: usize,
    max_bytes: u64,
    max_age: Duration,
    /// What lies in the folder, oldest first; `None` until it was looked at.
    shelf: Option<Vec<(String, u64)>>,
    failures: u64,
}

impl Pictures {
    /// `None` if the plan keeps no pictures. The folder is made when the first
    /// picture comes.
    pub fn new(plan: &NoReadsPlan) -> Option<Self> {
        Some(Self {
            dir: plan.dir.clone()?,
            max_files: plan.max_files as usize,
            max_bytes: plan.max_bytes,
            max_age: plan.max_age,
            shelf: None,
            failures: 0,
        })
    }

    /// Saves a picture taken at `wall_ns` (UTC, ns since the epoch); `kind` goes
    /// into its name. Returns the file's name, or `None` if it cannot be kept:
    /// that is logged once, and counted.
    pub fn save(&mut self, luma: Luma<'_>, wall_ns: i64, kind: &str) -> Option<String> {
        match self.try_save(luma, wall_ns, kind) {
            Ok(name) => {
                if self.failures > 0 {
                    log::info!("pictures are saved to {} again", self.dir.display());
                    self.failures = 0;
                }
                Some(name)
            }
            Err(error) => {
                if self.failures == 0 {
                    log::warn!(
                        "cannot save pictures to {}: {error}; events go on without them \
                         (make the folder writable, or set noread.save = false)",
                        self.dir.display()
                    );
                }
                self.failures += 1;
                self.shelf = None;
                None
            }
        }
    }

    /// Pictures that could not be saved since the last one that could.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    fn try_save(&mut self, luma: Luma<'_>, wall_ns: i64, kind: &str) -> io::Result<String> {
        let png = encode(luma)?;
        if self.max_files == 0 || png.len() as u64 > self.max_bytes {
            return Err(io::Error::other("the bounds leave no room for it"));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        self.look()?;
        self.make_room(png.len() as u64, wall_ns);
        let stem = format!("{}-{kind}", time_name(wall_ns));
        let taken = |name: &String| self.shelf.iter().flatten().any(|(other, _)| other == name);
        let name = (1..)
            .map(|n| match n {
                1 => format!("{stem}.png"),
                n => format!("{stem}-{n}.png"),
            })
            .find(|name| !taken(name))
            .unwrap_or_default();
        let path = self.dir.join(&name);
        // Written under another name first: whoever looks into the folder, or a
        // power cut, never meets half a picture under a picture's name.
        let draft = self.dir.join(".draft");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        let done = file
            .write_all(&png)
            .and_then(|()| fs::rename(&draft, &path));
        if let Err(error) = done {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        if let Some(shelf) = &mut self.shelf {
            let at = shelf.partition_point(|(other, _)| *other < name);
            shelf.insert(at, (name.clone(), png.len() as u64));
        }
        Ok(name)
    }

    /// What lies in the folder already: only what looks like ours.
    fn look(&mut self) -> io::Result<()> {
        if self.shelf.is_some() {
            return Ok(());
        }
        let mut shelf = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if is_ours(&name) {
                shelf.push((name, entry.metadata()?.len()));
            }
        }
        shelf.sort();
        self.shelf = Some(shelf);
        Ok(())
    }

    /// Removes the oldest until one more of `bytes` fits, and what is too old.
    fn make_room(&mut self, bytes: u64, wall_ns: i64) {
        let age = i64::try_from(self.max_age.as_nanos()).unwrap_or(i64::MAX);
        let limit = time_name(wall_ns.saturating_sub(age));
        let Some(shelf) = &mut self.shelf else { return };
        let mut total: u64 = shelf.iter().map(|(_, bytes)| bytes).sum();
        let mut gone = 0;
        for (name, size) in shelf.iter() {
            let left = shelf.len() - gone;
            if left < self.max_files && total + bytes <= self.max_bytes && *name >= limit {
                break;
            }
            // One that somebody else removed is gone all the same.
            let _ = fs::remove_file(self.dir.join(name));
            total -= size;
            gone += 1;
        }
        shelf.drain(..gone);
    }
}

/// `2026-11-22T01-58-23.123Z`: sorts by time, and any file system takes it.
fn time_name(wall_ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(wall_ns)) {
        Ok(time) => time.strftime("%Y-%m-%dT%H-%M-%S.%3fZ").to_string(),
        Err(_) => "0000-00-00T00-00-00.000Z".to_owned(),
    }
}

fn is_ours(name: &str) -> bool {
    let bytes = name.as_bytes();
    name.ends_with(".png")
        && bytes.len() > 24
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && (bytes[4], bytes[10], bytes[23]) == (b'-', b'T', b'Z')
}

fn encode(luma: Luma<'_>) -> io::Result<Vec<u8>> {
    let (width, height) = (luma.width(), luma.height());
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        pixels.extend_from_slice(luma.row(y));
    }
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Sub)
        .write_image(&pixels, width as u32, height as u32, ExtendedColorType::L8)
        .map_err(io::Error::other)?;
    Ok(png)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    const SECOND: i64 = 1_000_000_000;
    /// 2026-01-01, UTC.
    const EPOCH_NS: i64 = 1_767_225_600 * SECOND;

    fn plan(dir: &Path) -> NoReadsPlan {
        NoReadsPlan {
            publish: true,
            dir: Some(dir.to_path_buf()),
            max_files: 3,
            max_bytes: 1 << 20,
            max_age: Duration::from_secs(3600),
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .expect("the folder is there")
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .collect();
        names.sort();
        names
    }

    fn noise(seed: u64) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| rng.u8(..))
            .take(64 * 48)
            .collect()
    }

    #[test]
    fn what_is_saved_is_what_was_seen_and_is_for_nobody_else() {
        let home = tempfile::tempdir().expect("a folder");
        let dir = home.path().join("state/noread");
        let mut pictures = Pictures::new(&plan(&dir)).expect("pictures are on");
        let pixels = noise(1);
        let luma = Luma::new(&pixels, 60, 48, 64).expect("fits");
        let name = pictures
            .save(luma, EPOCH_NS + 123_000_000, "noread")
            .expect("saved");
        assert_eq!(name, "2026-01-01T00-00-00.123Z-noread.png");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join(&name))), (0o700, 0o600));
        let back = image::open(dir.join(&name)).expect("a picture").to_luma8();
        assert_eq!(back.dimensions(), (60, 48));
        assert!((0..48).all(|y| {
            (0..60).all(|x| back.get_pixel(x, y).0[0] == luma.at(x as usize, y as usize))
        }));
        // Two in the same millisecond do not overwrite one another.
        let second = pictures.save(luma, EPOCH_NS + 123_000_000, "noread");
        assert_eq!(
            second.as_deref(),
            Some("2026-01-01T00-00-00.123Z-noread-2.png")
        );
        assert_eq!(names(&dir).len(), 2, "no draft is left");
    }

    #[test]
    fn the_oldest_make_room_by_count_bytes_and_age() {
        let home = tempfile::tempdir().expect("a folder");
        let pixels = noise(2);
        let luma = Luma::new(&pixels, 64, 48, 64).expect("fits");
        let save = |pictures: &mut Pictures, second: i64| {
            pictures
                .save(luma, EPOCH_NS + second * SECOND, "noread")
                .expect("saved")
        };
        let mut pictures = Pictures::new(&plan(home.path())).expect("on");
        fs::write(home.path().join("notes.txt"), "not ours").expect("written");
        for second in 0..5 {
            save(&mut pictures, second);
        }
        // A daemon that starts anew counts what lies there.
        let mut pictures = Pictures::new(&plan(home.path())).expect("on");
        let newest = save(&mut pictures, 5);
        let left = names(home.path());
        assert_eq!(
            left.len(),
            4,
            "three pictures and what is not ours: {left:?}"
        );
        assert!(left.contains(&newest) && left[0].contains("00-00-03"));
        // One that is over an hour old goes even if there is room.
        save(&mut pictures, 3605);
        let left = names(home.path());
        assert_eq!(left.len(), 3, "{left:?}");
        let mut tight = plan(home.path());
        tight.max_bytes = 7000;
        let mut pictures = Pictures::new(&tight).expect("on");
        save(&mut pictures, 3606);
        save(&mut pictures, 3607);
        let bytes: u64 = names(home.path())
            .iter()
            .filter(|name| is_ours(name))
            .map(|name| fs::metadata(home.path().join(name)).expect("there").len())
            .sum();
        assert!(bytes <= 7000, "{bytes}");
        tight.max_bytes = 100;
        let mut pictures = Pictures::new(&tight).expect("on");
        assert_eq!(
            pictures.save(luma, EPOCH_NS, "noread"),
            None,
            "larger than all"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_costs_the_picture_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("file");
        fs::write(&file, "in the way").expect("written");
        // A file where the folder should be: refused for root as well.
        let dir = file.join("noread");
        let mut pictures = Pictures::new(&plan(&dir)).expect("on");
        let pixels = noise(3);
        let luma = Luma::new(&pixels, 64, 48, 64).expect("fits");
        assert_eq!(pictures.save(luma, EPOCH_NS, "noread"), None);
        assert_eq!(pictures.save(luma, EPOCH_NS, "noread"), None);
        assert_eq!(pictures.failures(), 2);
        fs::remove_file(&file).expect("removed");
        assert!(
            pictures.save(luma, EPOCH_NS, "noread").is_some(),
            "it recovers"
        );
        assert_eq!(pictures.failures(), 0);
    }

    #[test]
    fn a_crop_has_a_margin_stays_inside_and_is_bounded() {
        let pixels = noise(4);
        let luma = Luma::new(&pixels, 64, 48, 64).expect("fits");
        let square = |left: f32, top: f32, side: f32| {
            let p = crate::geometry::Point::new;
            Quad([
                p(left, top),
                p(left + side, top),
                p(left + side, top + side),
                p(left, top + side),
            ])
        };
        let mut slot = None;
        Picture::keep(&mut slot, &luma, Some(&square(20.0, 20.0, 8.0)), 1.0);
        let size = |slot: &Option<Picture>| slot.as_ref().map(|p| (p.width, p.height));
        assert_eq!(size(&slot), Some((16, 16)));
        Picture::keep(&mut slot, &luma, Some(&square(56.0, -4.0, 8.0)), 1.05);
        assert_eq!(
            size(&slot),
            Some((16, 16)),
            "hardly better: not worth a copy"
        );
        Picture::keep(&mut slot, &luma, Some(&square(56.0, -4.0, 8.0)), 2.0);
        assert_eq!(size(&slot), Some((12, 8)));
        Picture::keep(&mut slot, &luma, Some(&square(500.0, 500.0, 8.0)), 9.0);
        assert_eq!(size(&slot), Some((12, 8)), "outside the picture");
        let large = vec![7; 3000 * 2000];
        let luma = Luma::new(&large, 3000, 2000, 3000).expect("fits");
        Picture::keep(&mut slot, &luma, None, 99.0);
        assert_eq!(size(&slot), Some((1500, 1000)));
        assert!(slot.is_some_and(|p| p.luma().is_some_and(|l| l.at(1499, 999) == 7)));
    }
}
