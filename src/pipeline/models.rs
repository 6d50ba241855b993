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
    tract::load(plan)
        .map(|engine| Box::new(engine) as Box<dyn TextEngine>)
        .map_err(|error| error.to_string())
}

#[cfg(feature = "ocr")]
mod tract {
    use super::{OcrPlan, TextEngine};
    use crate::config::FieldPlace;
    use crate::frame::Luma;
    use crate::geometry::Quad;
    use crate::ocr::{
        Line, ModelError, Models, Pace, Recognised, Recogniser, Strip, TextReader, Wanted,
    };

    /// What a plan needs: the detector takes as much memory as all the rest and
    /// is loaded only where text is searched for.
    pub(super) enum Engine {
        Lines(Recogniser),
        All(TextReader),
    }

    pub(super) fn load(plan: &OcrPlan) -> Result<Engine, ModelError> {
        let models = match &plan.models {
            Some(dir) => Models::open(dir)?,
            None => Models::builtin(),
        };
        let search =
            |field: &crate::config::FieldPlan| matches!(field.place, FieldPlace::Search(_));
        let mut engine = match plan.fields.iter().any(search) {
            true => Engine::All(TextReader::load(&models)?),
            false => Engine::Lines(Recogniser::load(&models)?),
        };
        // What the fields need is built now, so that the first line of each width
        // takes no longer than the others.
        for field in &plan.fields {
            engine.recogniser().warm(field.wanted.characters)?;
        }
        Ok(engine)
    }

    impl Engine {
        fn recogniser(&mut self) -> &mut Recogniser {
            match self {
                Engine::Lines(recogniser) => recogniser,
                Engine::All(reader) => reader.recogniser(),
            }
        }
    }

    impl TextEngine for Engine {
        fn line(
            &mut self,
            strip: &Strip,
            wanted: &Wanted,
            pace: &mut Pace,
        ) -> Result<Option<Recognised>, String> {
            self.recogniser()
                .read(strip, wanted, pace)
                .map_err(|error| error.to_string())
        }

        fn area(
            &mut self,
            luma: Luma<'_>,
            code: &Quad,
            wanted: &Wanted,
            pace: &mut Pace,
        ) -> Result<Vec<Line>, String> {
            match self {
                Engine::Lines(_) => Err("no field was searched for when they were loaded".into()),
                Engine::All(reader) => reader
                    .read_all(luma, std::slice::from_ref(code), wanted, pace)
                    .map_err(|error| error.to_string()),
            }
        }
    }
}
