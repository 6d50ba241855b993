//! What is really on the belt: asked of the scene, not noted while drawing, so
//! that it holds for any time, before, during and after a run, and in another
//! process that knows the plan.
//!
//! Times are those of [`crate::frame::Stamp::mono_ns`]: a frame's stamp goes in
//! as it is.

use std::sync::Arc;

use super::scene::{Item, Label, Scene};
use crate::geometry::{Point, Quad};

/// What is really on the belt. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Truth {
    pub(super) scene: Arc<Scene>,
    /// `mono_ns` of the belt's start; before 0 if the machine started later.
    pub(super) start_ns: i64,
}

/// An item as it really was.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthItem {
    /// Its number on the belt, from 0.
    pub index: u64,
    /// The text of each of its codes.
    pub texts: Vec<String>,
    /// What is printed beside its code is not what the code says, on purpose.
    pub misprint: bool,
    /// When all of its labels were in view for the first time; `None`: never.
    pub entered_ns: Option<u64>,
    /// When the last of its labels had left the view for good; `None`: it stays,
    /// or was never there.
    pub left_ns: Option<u64>,
}

/// A code that is in view at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthCode {
    /// Number of its item.
    pub item: u64,
    /// Which label of the item, from 0.
    pub label: usize,
    /// What it says.
    pub text: String,
    /// Outer corners of the symbol without its quiet zone, as the rolling
    /// shutter shows them.
    pub corners: Quad,
    /// Side of a module in pixels.
    pub module_px: f32,
    /// A hand is over it.
    pub covered: bool,
}

impl Truth {
    /// How many items there are in all; `None` for a belt without end.
    pub fn count(&self) -> Option<u64> {
        self.scene.count()
    }

    /// Item `index`.
    pub fn item(&self, index: u64) -> Option<TruthItem> {
        let item = self.scene.item(index)?;
        let (entered, left) = self.in_view(&item);
        Some(TruthItem {
            index,
            misprint: item.labels.iter().any(|label| label.misprint),
            texts: item.labels.into_iter().map(|label| label.text).collect(),
            entered_ns: entered.map(|t| self.stamp(t)),
            left_ns: left.filter(|t| t.is_finite()).map(|t| self.stamp(t)),
        })
    }

    /// All items in their order; without end if the belt is.
    pub fn items(&self) -> impl Iterator<Item = TruthItem> + '_ {
        (0..).map_while(|index| self.item(index))
    }

    /// The items of which all labels have been in view by `mono_ns`, from item
    /// `first` on. Ends at the first that has not.
    pub fn entered_by(&self, first: u64, mono_ns: u64) -> impl Iterator<Item = TruthItem> + '_ {
        (first..)
            .map_while(|index| self.item(index))
            .take_while(move |item| item.entered_ns.is_some_and(|t| t <= mono_ns))
    }

    /// Every code whose paper, quiet zone included, is wholly in view in a frame
    /// stamped `mono_ns`.
    pub fn codes_in_view(&self, mono_ns: u64) -> Vec<TruthCode> {
        let time = self.time(mono_ns);
        let scene = &self.scene;
        let (width, height) = (scene.width as f32, scene.height as f32);
        // The last rows may show the belt some way on.
        let slack = scene.motion.velocity(time).abs() * scene.readout + 64.0;
        let place = scene.motion.place(time);
        let mut codes = Vec::new();
        for index in scene.between(place, -slack, f64::from(scene.width) + slack) {
            let Some(item) = scene.item(index) else {
                continue;
            };
            let covered = scene.script.covers.iter().any(|cover| {
                cover.item == index
                    && (cover.from.as_secs_f64()..cover.until.as_secs_f64()).contains(&time)
            });
            for (nth, label) in item.labels.iter().enumerate() {
                let (left, top, right, bottom) = self.seen(&item, label.paper(), time).bounds();
                if left >= 0.0 && top >= 0.0 && right <= width && bottom <= height {
                    codes.push(TruthCode {
                        item: index,
                        label: nth,
                        text: label.text.clone(),
                        corners: self.seen(&item, label.code(), time),
                        module_px: label.module,
                        covered,
                    });
                }
            }
        }
        codes
    }

    /// Corners of code `label` of item `index` in a frame stamped `mono_ns`,
    /// be they in view or not.
    pub fn corners(&self, index: u64, label: usize, mono_ns: u64) -> Option<Quad> {
        let item = self.scene.item(index)?;
        let code = item.labels.get(label)?.code();
        Some(self.seen(&item, code, self.time(mono_ns)))
    }

    /// The belt's velocity at `mono_ns` in pixels a second, to the right.
    pub fn velocity_px_s(&self, mono_ns: u64) -> f32 {
        self.scene.motion.velocity(self.time(mono_ns)) as f32
    }

    /// A quad of `item` as the rolling shutter shows it.
    fn seen(&self, item: &Item, quad: Quad, time: f64) -> Quad {
        Quad(quad.0.map(|corner| {
            let at = time + self.scene.row_delay(f64::from(corner.y));
            let x = Scene::x_of(item, self.scene.motion.place(at));
            Point::new(corner.x + x as f32, corner.y)
        }))
    }

    /// When all labels of `item` are first in view, and when none is any more.
    fn in_view(&self, item: &Item) -> (Option<f64>, Option<f64>) {
        let span = |label: &Label| {
            let (left, top, right, bottom) = label.paper().bounds();
            let (width, height) = (f64::from(self.scene.width), self.scene.height as f32);
            if top < 0.0 || bottom > height || item.labels.is_empty() {
                return None;
            }
            let motion = &self.scene.motion;
            let delay = self.scene.row_delay(f64::from(label.centre.y));
            // Displacement at which the label's left or right rim is at x = 0.
            let at_zero = |x: f32| item.origin + item.length - f64::from(x);
            let entered = motion.first_within(at_zero(left), at_zero(right) + width)?;
            let left = motion.last_within(at_zero(right), at_zero(left) + width)?;
            Some((entered - delay, left - delay))
        };
        item.labels
            .iter()
            .map(span)
            .reduce(|a, b| {
                let (a, b) = (a?, b?);
                Some((a.0.max(b.0), a.1.max(b.1)))
            })
            .flatten()
            .unzip()
    }

    /// Seconds since the belt's start.
    fn time(&self, mono_ns: u64) -> f64 {
        (i128::from(mono_ns) - i128::from(self.start_ns)) as f64 * 1e-9
    }

    /// `mono_ns` of a time in seconds since the belt's start.
    pub(super) fn stamp(&self, time: f64) -> u64 {
        let ns = i128::from(self.start_ns) + (time * 1e9).round() as i128;
        u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
    }
}
