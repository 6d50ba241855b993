//! Where a field stands in a frame.

use crate::config::{CodeAnchor, FieldPlace};
use crate::geometry::{Homography, Point, Quad};
use crate::item::EventCode;
use crate::qr::decode::rmqr_size;

/// Where a field of one item is, found out once for the item.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot {
    /// Corners as shares of a code's sides, from its upper left corner.
    Beside([(f64, f64); 4]),
    /// Corners in the picture.
    At(Quad),
    /// To be searched for: in this part of the picture, or in all of it.
    Within(Option<[f32; 4]>),
}

/// The spot of a field at `place` that reads `turns` quarter turns clockwise
/// inside its box, for an item with `code`. `None` if it does not stand beside
/// this code. `has_ai` says whether the code has a GS1 element.
pub(super) fn spot(
    place: &FieldPlace,
    turns: usize,
    code: &EventCode,
    heading: Option<Point>,
    has_ai: impl FnOnce(&str) -> bool,
) -> Option<Spot> {
    match place {
        FieldPlace::Code { modules, which } => {
            if !stands_beside(which, code, has_ai) {
                return None;
            }
            let (columns, rows) = size(code)?;
            let [left, top, width, height] = modules.map(f64::from);
            let mut corners = [
                (left, top),
                (left + width, top),
                (left + width, top + height),
                (left, top + height),
            ]
            .map(|(x, y)| (x / columns, y / rows));
            corners.rotate_left(turns);
            Some(Spot::Beside(corners))
        }
        FieldPlace::Region([left, top, width, height]) => {
            let middle = Point::new(left + width / 2.0, top + height / 2.0);
            let (sin, cos) = tilt(heading).sin_cos();
            let mut corners = [
                (-width / 2.0, -height / 2.0),
                (width / 2.0, -height / 2.0),
                (width / 2.0, height / 2.0),
                (-width / 2.0, height / 2.0),
            ]
            .map(|(x, y)| middle + Point::new(x * cos - y * sin, x * sin + y * cos));
            corners.rotate_left(turns);
            Some(Spot::At(Quad(corners)))
        }
        FieldPlace::Search(part) => Some(Spot::Within(*part)),
    }
}

impl Spot {
    /// Its corners in a frame in which the code's are `code`. `None` where a
    /// straight line cannot be cut.
    pub(super) fn corners(&self, code: &Quad) -> Option<Quad> {
        match self {
            Spot::Beside(shares) => {
                let map = Homography::from_unit_square(code)?;
                Some(Quad(shares.map(|(x, y)| map.map(x, y))))
            }
            Spot::At(corners) => Some(*corners),
            Spot::Within(_) => None,
        }
    }
}

/// Print on a belt that runs askew through the picture is askew by as much: the
/// angle from the nearest axis to the way of the belt, in radians. More than a
/// few degrees are no camera set up askew but a belt that runs aslant on purpose.
fn tilt(heading: Option<Point>) -> f32 {
    const MOST: f32 = 0.35;
    let Some(heading) = heading else { return 0.0 };
    let quarter = std::f32::consts::FRAC_PI_2;
    let angle = heading.y.atan2(heading.x);
    let tilt = angle - (angle / quarter).round() * quarter;
    if tilt.abs() <= MOST { tilt } else { 0.0 }
}

fn stands_beside(which: &CodeAnchor, code: &EventCode, has_ai: impl FnOnce(&str) -> bool) -> bool {
    let text = code.text.as_deref();
    let starts = |prefix: &String| text.is_some_and(|text| text.starts_with(prefix.as_str()));
    let matches = |regex: &regex::Regex| text.is_some_and(|text| regex.is_match(text));
    which.prefix.as_ref().is_none_or(starts)
        && which.regex.as_ref().is_none_or(matches)
        && which.ai.as_deref().is_none_or(has_ai)
}

/// Modules in a row and rows of a code.
fn size(code: &EventCode) -> Option<(f64, f64)> {
    let version = f64::from(code.version);
    match code.symbology {
        "micro_qr" => Some((9.0 + 2.0 * version, 9.0 + 2.0 * version)),
        "rmqr" => rmqr_size(code.version).map(|(columns, rows)| (columns as f64, rows as f64)),
        _ => Some((17.0 + 4.0 * version, 17.0 + 4.0 * version)),
    }
}
