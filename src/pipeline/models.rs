//! The models that read text, as an engine of the text thread.

use std::sync::Arc;

use super::text::{TextEngine, TextLoader};
use crate::config::OcrPlan;

/// Loads the models that the plan names, or those built in.
pub fn text_models() -> TextLoader {
    Arc::new(load)
}

fn load(_: &OcrPlan) -> Result<Box<dyn TextEngine>, String> {
    Err("this build has none".to_owned())
}
