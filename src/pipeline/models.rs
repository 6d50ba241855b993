//! The models that read text, as an engine of the text thread.

use std::sync::Arc;

use super::text::{TextEngine, TextLoader};
use crate::config::OcrPlan;

/// Loads the models that the plan names, or those built in.
pub fn text_models() -> TextLoader {
    Arc::new(load)
}

#[cfg(not(feature = "ocr"))]
fn load(_: &OcrPlan) -> Result<Box<dyn TextEngine>, String> {
    Err("this build has none: build it with the cargo feature `ocr`".to_owned())
}

#[cfg(feature = "ocr")]
fn load(plan: &OcrPlan) -> Result<Box<dyn TextEngine>, String> {
    use crate::ocr::{Models, Recogniser};

    let models = match &plan.models {
        Some(dir) => Models::open(dir).map_err(|error| error.to_string())?,
        None => Models::builtin(),
    };
    let mut recogniser = Recogniser::load(&models).map_err(|error| error.to_string())?;
    // What the fields need is built now, so that the first line of each width
    // takes no longer than the others.
    for field in &plan.fields {
        recogniser
            .warm(field.wanted.characters)
            .map_err(|error| error.to_string())?;
    }
    Ok(Box::new(Tract { recogniser }))
}

#[cfg(feature = "ocr")]
struct Tract {
    recogniser: crate::ocr::Recogniser,
}

#[cfg(feature = "ocr")]
impl TextEngine for Tract {
    fn line(
        &mut self,
        strip: &crate::ocr::Strip,
        wanted: &crate::ocr::Wanted,
    ) -> Result<Option<crate::ocr::Recognised>, String> {
        self.recogniser
            .read(strip, wanted)
            .map_err(|error| error.to_string())
    }

    fn area(
        &mut self,
        _: crate::frame::Luma<'_>,
        _: &crate::ocr::Wanted,
    ) -> Result<Vec<crate::ocr::Line>, String> {
        Err("these models find no text by themselves".to_owned())
    }
}
