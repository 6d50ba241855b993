//! One network at one size of input, ready to be run.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;

use super::models::ModelFile;
use super::{Error, ModelError, Pace};

/// A network optimised for one size of input. Computes in f32 on the thread that
/// runs it.
pub(super) struct Net {
    plan: Arc<RunnableModel<TypedFact, Box<dyn TypedOp>>>,
    shape: [usize; 4],
}

/// What a recogniser's file says its classes are, without blank and space: one a
/// line.
const CHARACTERS: &str = "onnx.metadata_props.character";

impl Net {
    /// Builds it for planes of `height` rows and `width` columns.
    pub(super) fn load(file: &ModelFile, height: usize, width: usize) -> Result<Self, ModelError> {
        let shape = [1, 3, height, width];
        let build = || {
            let model = parse(file)?.with_input_fact(0, f32::fact(shape).into())?;
            let model = model.into_typed()?;
            #[cfg(target_arch = "x86_64")]
            let model = super::conv::rewrite(model)?;
            model.into_optimized()?.into_runnable()
        };
        Ok(Self {
            plan: build().map_err(|error| wrong(file, &error))?,
            shape,
        })
    }

    /// Runs it on three planes, one after the other, and gives the output, of
    /// which the shape must be `expected`, to `take`.
    pub(super) fn run<T>(
        &self,
        planes: &[f32],
        expected: &[usize],
        pace: &mut Pace,
        take: impl FnOnce(&[f32]) -> T,
    ) -> Result<T, Error> {
        let mut run = || {
            let input = Tensor::from_shape(&self.shape, planes)?;
            let mut state = self.plan.spawn()?;
            state.run_plan_with_eval(tvec!(input.into()), |context, state, node, inputs| {
                pace.step();
                eval(context, state, node, inputs)
            })
        };
        let outputs = run().map_err(|error| Error(format!("{error:#}")))?;
        let output = outputs.first().filter(|output| output.shape() == expected);
        let values = output.and_then(|output| output.as_plain_ram()?.as_slice::<f32>().ok());
        match values {
            Some(values) => Ok(take(values)),
            None => Err(Error(format!(
                "its output has the shape {:?}, expected {expected:?}",
                outputs.first().map(|output| output.shape().to_vec())
            ))),
        }
    }

    /// Sizes of the input's last two axes: rows, columns.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.shape[2], self.shape[3])
    }
}

/// The characters that the file names, as many as the manifest says, less blank
/// and space.
pub(super) fn characters(file: &ModelFile) -> Result<Vec<char>, ModelError> {
    let model = parse(file).map_err(|error| wrong(file, &error))?;
    let text = model
        .properties
        .get(CHARACTERS)
        .and_then(|text| {
            text.as_plain_ram()?
                .as_slice::<String>()
                .ok()?
                .first()
                .cloned()
        })
        .ok_or_else(|| {
            ModelError::new(
                &file.name,
                "names no characters in its metadata, expected `character`",
            )
        })?;
    let characters: Vec<char> = text
        .split('\n')
        .filter_map(|line| line.chars().next())
        .collect();
    if characters.len() + 2 != file.characters {
        let what = format!(
            "names {} characters, expected {}",
            characters.len(),
            file.characters.saturating_sub(2)
        );
        return Err(ModelError::new(&file.name, what));
    }
    Ok(characters)
}

fn parse(file: &ModelFile) -> TractResult<InferenceModel> {
    // Shapes that exporters note are often wrong for another size of input.
    tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_shapes(true)
        .model_for_read(&mut &*file.bytes)
}

fn wrong(file: &ModelFile, error: &TractError) -> ModelError {
    ModelError::new(
        &file.name,
        format!("is no model that can be run: {error:#}"),
    )
}
