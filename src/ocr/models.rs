//! The model files: those that are built in, or a folder's.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::ModelError;

/// Largest model file, and largest manifest, in bytes.
const MOST_BYTES: u64 = 32 << 20;
const MOST_MANIFEST: u64 = 64 << 10;
/// Name of the manifest in a folder of models.
const MANIFEST: &str = "models.toml";
/// The form of manifest that is understood.
const FORMAT: u32 = 1;

/// A detector and two recognisers, checked against their manifest. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Models {
    pub(super) detect: Arc<ModelFile>,
    pub(super) recognise: Arc<ModelFile>,
    pub(super) recognise_ascii: Arc<ModelFile>,
}

/// One file, whole in memory.
#[derive(Debug)]
pub(super) struct ModelFile {
    /// Where it came from, for messages.
    pub(super) name: String,
    pub(super) version: String,
    pub(super) bytes: Cow<'static, [u8]>,
    /// How many classes it tells apart; 0 for the detector.
    pub(super) characters: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    #[serde(rename = "licence")]
    _licence: String,
    #[serde(rename = "origin")]
    _origin: String,
    detect: Entry,
    recognise: Entry,
    recognise_ascii: Entry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    version: String,
    sha256: String,
    input: Vec<i64>,
    #[serde(default)]
    characters: usize,
}

impl Models {
    /// The models that are part of the program.
    pub fn builtin() -> Self {
        let file = |name: &str, bytes: &'static [u8], characters| {
            Arc::new(ModelFile {
                name: format!("the built-in model {name}"),
                version: BUILTIN_VERSION.into(),
                bytes: Cow::Borrowed(bytes),
                characters,
            })
        };
        Self {
            detect: file("detect", include_bytes!("../../models/detect.onnx"), 0),
            recognise: file(
                "recognise",
                include_bytes!("../../models/recognise.onnx"),
                6906,
            ),
            recognise_ascii: file(
                "recognise_ascii",
                include_bytes!("../../models/recognise_ascii.onnx"),
                96,
            ),
        }
    }

    /// The models of the folder `dir`, as its `models.toml` names them. Sizes are
    /// bounded before anything is read; an error says which file does not fit and
    /// what was expected. (What is inside is checked when it is loaded.)
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join(MANIFEST);
        let name = path.display().to_string();
        let text = read(&path, MOST_MANIFEST)?;
        let text = String::from_utf8(text)
            .map_err(|_| ModelError::new(&name, "is no UTF-8 text; expected a manifest in TOML"))?;
        let manifest: Manifest =
            toml::from_str(&text).map_err(|error| ModelError::new(&name, error.to_string()))?;
        if manifest.format != FORMAT {
            let what = format!("has the format {}, expected {FORMAT}", manifest.format);
            return Err(ModelError::new(name, what));
        }
        let recogniser = [1, 3, 48, -1];
        Ok(Self {
            detect: manifest.detect.open(dir, [1, 3, -1, -1], false)?,
            recognise: manifest.recognise.open(dir, recogniser, true)?,
            recognise_ascii: manifest.recognise_ascii.open(dir, recogniser, true)?,
        })
    }

    /// Version of the recogniser, as its manifest names it.
    pub fn version(&self) -> &str {
        &self.recognise.version
    }
}

/// What the manifest of the built-in models says of each.
const BUILTIN_VERSION: &str = "pp-ocrv6-tiny-0.1.0";

impl Entry {
    fn open(self, dir: &Path, shape: [i64; 4], reads: bool) -> Result<Arc<ModelFile>, ModelError> {
        let manifest = dir.join(MANIFEST).display().to_string();
        // A manifest names its neighbours, not files anywhere.
        if Path::new(&self.file).components().count() != 1 || self.file.starts_with("..") {
            let what = format!(
                "names the file {:?}; expected a name without a folder",
                self.file
            );
            return Err(ModelError::new(manifest, what));
        }
        if self.input != shape {
            let what = format!(
                "gives {} the input {:?}, expected {shape:?}",
                self.file, self.input
            );
            return Err(ModelError::new(manifest, what));
        }
        if reads && !(2..=65_536).contains(&self.characters) {
            let what = format!(
                "gives {} {} characters, expected 2 to 65536",
                self.file, self.characters
            );
            return Err(ModelError::new(manifest, what));
        }
        let path = dir.join(&self.file);
        let bytes = read(&path, MOST_BYTES)?;
        let name = path.display().to_string();
        let found = sha256(&bytes);
        if !found.eq_ignore_ascii_case(&self.sha256) {
            let what = format!("has the sha256 {found}, expected {}", self.sha256);
            return Err(ModelError::new(name, what));
        }
        Ok(Arc::new(ModelFile {
            name,
            version: self.version,
            bytes: Cow::Owned(bytes),
            characters: self.characters,
        }))
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The whole file, if it is not larger than `most` bytes.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, ModelError> {
    let name = path.display().to_string();
    let failed = |error: std::io::Error| ModelError::new(&name, format!("cannot be read: {error}"));
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One byte more tells a file that is too large, also one that grows meanwhile.
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > most {
        let what = format!("is too large, expected at most {most} bytes");
        return Err(ModelError::new(name, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        for name in [
            MANIFEST,
            "detect.onnx",
            "recognise.onnx",
            "recognise_ascii.onnx",
        ] {
            fs::copy(models.join(name), folder.path().join(name)).expect("copies");
        }
        folder
    }

    #[test]
    fn the_folder_in_the_repository_is_what_is_built_in() {
        let opened = Models::open(folder().path()).expect("fits its manifest");
        let builtin = Models::builtin();
        for (a, b) in [
            (&opened.detect, &builtin.detect),
            (&opened.recognise, &builtin.recognise),
            (&opened.recognise_ascii, &builtin.recognise_ascii),
        ] {
            assert!(a.bytes == b.bytes);
            assert_eq!((&a.version, a.characters), (&b.version, b.characters));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_says_what_was_expected() {
        let change = |from: &str, to: &str| {
            let folder = folder();
            let path = folder.path().join(MANIFEST);
            let text = fs::read_to_string(&path).expect("reads");
            assert!(text.contains(from));
            fs::write(&path, text.replacen(from, to, 1)).expect("writes");
            Models::open(folder.path()).expect_err(to).to_string()
        };
        assert!(change("format = 1", "format = 2").contains("expected 1"));
        assert!(change("format = 1", "format = ").contains("models.toml"));
        assert!(change("format = 1", "format = 1\ncolour = 1").contains("colour"));
        assert!(change("48, -1", "32, -1").contains("expected [1, 3, 48, -1]"));
        assert!(change("characters = 6906", "characters = 0").contains("expected 2 to"));
        assert!(change("\"detect.onnx\"", "\"../detect.onnx\"").contains("without a folder"));
        assert!(change("\"detect.onnx\"", "\"recognise.onnx\"").contains("expected"));
        assert!(change("\"detect.onnx\"", "\"missing.onnx\"").contains("missing.onnx"));

        let folder = folder();
        let path = folder.path().join("recognise.onnx");
        let mut bytes = fs::read(&path).expect("reads");
        bytes[1000] ^= 1;
        fs::write(&path, &bytes).expect("writes");
        let error = Models::open(folder.path())
            .expect_err("one bit")
            .to_string();
        assert!(
            error.contains("recognise.onnx") && error.contains("sha256"),
            "{error}"
        );
        let file = File::options().write(true).open(&path).expect("opens");
        file.set_len(MOST_BYTES + 1).expect("grows");
        let error = Models::open(folder.path())
            .expect_err("too large")
            .to_string();
        assert!(error.contains("too large"), "{error}");
        fs::remove_file(folder.path().join(MANIFEST)).expect("removes");
        assert!(Models::open(folder.path()).is_err());
    }
}
