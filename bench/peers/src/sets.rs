//! Sets of pictures with what is known to be in them.
//!
//! Pictures are loaded or drawn one at a time, so that a set of any size needs
//! the memory of one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use beltscan::camera::picture::{self, Picture};
use beltscan::geometry::{Point, Quad};
use serde::Deserialize;

use crate::readers::Wanted;
use crate::synthetic::{self, Scene};

/// What is in a picture.
#[derive(Clone, Debug)]
pub enum Truth {
    /// These texts, no others.
    Texts {
        /// Each is to be read.
        texts: Vec<String>,
        /// Texts that another folder has for the file of this name. Folders with
        /// copies of the same pictures disagree on some: one misspells a text,
        /// and of a code inside a code each names another. A list that contradicts
        /// another cannot prove a read false, nor does it make one count.
        disputed: Vec<String>,
    },
    /// Codes in these places, texts unknown. A read elsewhere is a stray one.
    Places(Vec<Quad>),
}

impl Truth {
    /// How many codes there are to read.
    pub fn codes(&self) -> usize {
        match self {
            Truth::Texts { texts, .. } => texts.len(),
            Truth::Places(places) => places.len(),
        }
    }

    /// These texts, which nobody disputes.
    pub fn of(texts: Vec<String>) -> Self {
        Truth::Texts {
            texts,
            disputed: Vec::new(),
        }
    }

    /// May `text` be in the picture, for all that is known?
    pub fn allows(&self, text: &str) -> bool {
        match self {
            Truth::Texts { texts, disputed } => {
                texts.iter().chain(disputed).any(|known| known == text)
            }
            Truth::Places(_) => true,
        }
    }
}

/// Pictures that are counted together.
pub struct Set {
    /// As the table has it: `boofcv/glare`.
    pub name: String,
    /// What to look for.
    pub wanted: Wanted,
    /// How many pictures there are.
    pub len: usize,
    source: Source,
}

enum Source {
    Files(Vec<File>),
    Drawn {
        scenes: Vec<Scene>,
        seed: u64,
    },
    /// Frames of a belt that stands.
    Standing {
        scene: Scene,
        seed: u64,
    },
}

struct File {
    path: PathBuf,
    /// Width and height of the picture that the truth was told of.
    size: (usize, usize),
    truth: Truth,
}

impl Set {
    /// Picture number `index` with its name and its truth.
    pub fn picture(&self, index: usize) -> Result<(String, Picture, Truth), String> {
        match &self.source {
            Source::Files(files) => {
                let File { path, size, truth } = &files[index];
                let picture =
                    picture::load(path).map_err(|error| format!("{}: {error}", path.display()))?;
                if (picture.width, picture.height) != *size {
                    return Err(format!(
                        "{} is {} by {} pixels, its manifest says {} by {}",
                        path.display(),
                        picture.width,
                        picture.height,
                        size.0,
                        size.1
                    ));
                }
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Ok((name.into_owned(), picture, truth.clone()))
            }
            Source::Drawn { scenes, seed } => {
                let (picture, texts) = synthetic::frame(scenes[index], seed + index as u64);
                Ok((format!("#{index}"), picture, Truth::of(texts)))
            }
            Source::Standing { scene, seed } => {
                let picture = synthetic::standing(*scene, *seed, index as u64);
                Ok((format!("#{index}"), picture, Truth::of(Vec::new())))
            }
        }
    }
}

/// The drawn sets.
pub fn drawn() -> Vec<Set> {
    let clean = Scene {
        width: 1280,
        height: 800,
        codes: 0,
        texture: 0.0,
        noise: 2.0,
    };
    let set = |name: &str, seed: u64, scenes: Vec<Scene>| Set {
        name: name.into(),
        wanted: Wanted::Qr,
        len: scenes.len(),
        source: Source::Drawn { scenes, seed },
    };
    let hd = Scene {
        height: 720,
        ..clean
    };
    let belt = Scene {
        texture: 60.0,
        noise: 4.0,
        ..hd
    };
    let standing = Set {
        name: "still-belt-720p".into(),
        wanted: Wanted::Frames,
        len: 40,
        source: Source::Standing {
            scene: belt,
            seed: 7_000,
        },
    };
    vec![
        set(
            "clean-1-to-40",
            1_000,
            (0..200)
                .map(|index| Scene {
                    codes: 1 + index % 40,
                    ..clean
                })
                .collect(),
        ),
        set("four-720p", 2_000, vec![Scene { codes: 4, ..hd }; 40]),
        set("forty-720p", 3_000, vec![Scene { codes: 40, ..hd }; 40]),
        set("empty-flat", 4_000, vec![clean; 40]),
        set(
            "empty-belt",
            5_000,
            vec![
                Scene {
                    texture: 60.0,
                    noise: 4.0,
                    ..clean
                };
                40
            ],
        ),
        set("empty-belt-720p", 6_000, vec![belt; 40]),
        standing,
    ]
}

#[derive(Deserialize)]
struct Line {
    file: String,
    category: String,
    width: usize,
    height: usize,
    texts: Option<Vec<String>>,
    #[serde(default)]
    corners: Vec<[[f32; 2]; 4]>,
}

/// The sets of the corpus in `folder`: one for each of its folders that has a
/// `manifest.jsonl`, and for `boofcv` one for each category.
pub fn corpus(folder: &Path) -> Result<Vec<Set>, String> {
    let at = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut manifests: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| at(folder, &error))?
        .filter_map(|entry| Some(entry.ok()?.path().join("manifest.jsonl")))
        .filter(|manifest| manifest.is_file())
        .collect();
    manifests.sort();
    let mut lines: Vec<(PathBuf, Line)> = Vec::new();
    for manifest in &manifests {
        let home = manifest.parent().unwrap_or(folder);
        let text = std::fs::read_to_string(manifest).map_err(|error| at(manifest, &error))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let line = serde_json::from_str(line).map_err(|error| at(manifest, &error))?;
            lines.push((home.to_path_buf(), line));
        }
    }
    let mut named: HashMap<String, Vec<String>> = HashMap::new();
    for (_, line) in &lines {
        let texts = line.texts.iter().flatten().cloned();
        named.entry(line.file.clone()).or_default().extend(texts);
    }
    let mut sets: Vec<Set> = Vec::new();
    for (home, line) in lines {
        let group = home.file_name().unwrap_or_default().to_string_lossy();
        let truth = match line.texts {
            Some(texts) => {
                let mut disputed = named.get(&line.file).cloned().unwrap_or_default();
                disputed.retain(|text| !texts.contains(text));
                Truth::Texts { texts, disputed }
            }
            None => Truth::Places(line.corners.iter().map(quad).collect()),
        };
        let name = match &*group {
            "boofcv" => format!("{group}/{}", line.category),
            _ => group.to_string(),
        };
        let set = match sets.iter().position(|set| set.name == name) {
            Some(known) => &mut sets[known],
            None => {
                sets.push(Set {
                    wanted: match name.as_str() {
                        "micro-rmqr" => Wanted::Family,
                        _ => Wanted::Qr,
                    },
                    name,
                    len: 0,
                    source: Source::Files(Vec::new()),
                });
                sets.last_mut().expect("just pushed")
            }
        };
        if let Source::Files(files) = &mut set.source {
            files.push(File {
                path: home.join(&line.file),
                size: (line.width, line.height),
                truth,
            });
            set.len = files.len();
        }
    }
    Ok(sets)
}

fn quad(corners: &[[f32; 2]; 4]) -> Quad {
    Quad(corners.map(|[x, y]| Point::new(x, y)))
}
