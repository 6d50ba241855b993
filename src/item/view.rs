//! How a code looks in JSON: the one shape that events and `read --jsonl` share.
//!
//! Only the shape lives here; what a code says is decided in [`crate::qr`] and
//! [`super::EventCode`]. Floating point numbers are rounded to what the picture
//! can carry, and one that is not finite becomes 0, so that every line is valid
//! JSON of the same types.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{EventCode, Gs1Elements};
use crate::geometry::{Point, Quad};
use crate::qr::{Code, Quality};

/// One code as JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodeView<'a> {
    text: Option<&'a str>,
    bytes_b64: Option<String>,
    symbology: &'static str,
    aim: String,
    version: u8,
    ecc: &'static str,
    corners: [[f64; 2]; 4],
    method: &'static str,
    quality: QualityView,
    /// Present in events (`null` for a code that stands alone), absent elsewhere
    /// unless the code has the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_append: Option<Option<AppendView>>,
    /// Present in events (`null` for what is not GS1), absent elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    gs1: Option<Option<&'a Gs1Elements>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct QualityView {
    uec: f64,
    contrast: f64,
    module_px: f64,
    blur_modules: f64,
    modulation: f64,
    fixed_pattern_damage: f64,
    axial_nonuniformity: f64,
    grid_nonuniformity: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct AppendView {
    index: u8,
    total: u8,
    parity: u8,
}

impl<'a> From<&'a EventCode> for CodeView<'a> {
    fn from(code: &'a EventCode) -> Self {
        CodeView {
            text: code.text.as_deref(),
            bytes_b64: code.bytes.as_ref().map(|bytes| STANDARD.encode(bytes)),
            symbology: code.symbology,
            aim: code.aim.clone(),
            version: code.version,
            ecc: code.level,
            corners: corners(&code.corners),
            method: code.method,
            quality: quality(&code.quality),
            structured_append: Some(code.append.map(append)),
            gs1: Some(code.gs1.as_ref()),
        }
    }
}

impl<'a> From<&'a Code> for CodeView<'a> {
    fn from(code: &'a Code) -> Self {
        let content = &code.content;
        CodeView {
            text: content.is_text.then_some(content.text.as_str()),
            bytes_b64: (!content.is_text).then(|| STANDARD.encode(&content.bytes)),
            symbology: code.symbology.name(),
            aim: format!("]Q{}", content.aim_modifier),
            version: code.version,
            ecc: code.level.name(),
            corners: corners(&code.corners),
            method: code.method.name(),
            quality: quality(&code.quality),
            structured_append: content.append.map(|header| Some(append(header))),
            gs1: None,
        }
    }
}

/// `x`, `y` to a hundredth of a pixel.
pub(crate) fn point(point: Point) -> [f64; 2] {
    [rounded(point.x, 100.0), rounded(point.y, 100.0)]
}

fn corners(quad: &Quad) -> [[f64; 2]; 4] {
    quad.0.map(point)
}

fn quality(quality: &Quality) -> QualityView {
    QualityView {
        uec: rounded(quality.uec, 1000.0),
        contrast: rounded(quality.contrast, 1000.0),
        module_px: rounded(quality.module_px, 100.0),
        blur_modules: rounded(quality.blur_modules, 100.0),
        modulation: rounded(quality.modulation, 10.0),
        fixed_pattern_damage: rounded(quality.fixed_pattern_damage, 10.0),
        axial_nonuniformity: rounded(quality.axial_nonuniformity, 1000.0),
        grid_nonuniformity: rounded(quality.grid_nonuniformity, 1000.0),
    }
}

fn append(header: crate::qr::StructuredAppend) -> AppendView {
    AppendView {
        index: header.index,
        total: header.total,
        parity: header.parity,
    }
}

fn rounded(value: f32, steps: f64) -> f64 {
    if !value.is_finite() {
        return 0.0;
    }
    // Adding 0.0 turns -0.0 into 0.0.
    (f64::from(value) * steps).round() / steps + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::Content;

    #[test]
    fn a_code_outside_an_event_has_the_fields_of_read_jsonl_in_their_order() {
        let code = Code {
            version: 3,
            content: Content {
                text: "HELLO".into(),
                is_text: true,
                aim_modifier: 1,
                ..Content::default()
            },
            quality: Quality {
                uec: 0.9,
                contrast: 0.7,
                module_px: 4.1,
                blur_modules: f32::NAN,
                modulation: 3.0,
                fixed_pattern_damage: 4.0,
                axial_nonuniformity: 0.0125,
                grid_nonuniformity: 0.25,
            },
            ..Code::default()
        };
        assert_eq!(
            serde_json::to_string(&CodeView::from(&code)).expect("plain data"),
            concat!(
                r#"{"text":"HELLO","bytes_b64":null,"symbology":"qr","aim":"]Q1","version":3,"#,
                r#""ecc":"M","corners":[[0.0,0.0],[0.0,0.0],[0.0,0.0],[0.0,0.0]],"#,
                r#""method":"plain","quality":{"uec":0.9,"contrast":0.7,"module_px":4.1,"#,
                r#""blur_modules":0.0,"modulation":3.0,"fixed_pattern_damage":4.0,"#,
                r#""axial_nonuniformity":0.013,"grid_nonuniformity":0.25}}"#
            )
        );
    }

    #[test]
    fn a_payload_that_is_no_text_is_base64() {
        let code = Code {
            content: Content {
                bytes: vec![0xff, 0x00, 0x80],
                ..Content::default()
            },
            ..Code::default()
        };
        let value = serde_json::to_value(CodeView::from(&code)).expect("plain data");
        assert_eq!(value["text"], serde_json::Value::Null);
        assert_eq!(value["bytes_b64"], "/wCA");
    }
}
