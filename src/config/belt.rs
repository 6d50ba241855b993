//! `[belt]`: what is known of the belt under the camera; and the check of
//! `[camera.belt]`, the synthetic one.

use serde::{Deserialize, Serialize};

use super::{BeltSource, BeltSourcePlan, Problems};

/// The section as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Belt {
    /// Speed in metres a second; absent if unknown or varying.
    pub speed_m_s: Option<f32>,
    /// Direction of travel in the picture in degrees: 0 to the right, 90 down.
    pub direction_deg: Option<f32>,
    /// Pixels to a millimetre on the belt; absent if unknown.
    pub px_per_mm: Option<f32>,
    /// Side of the smallest module that comes, in millimetres; absent if unknown.
    pub module_mm: Option<f32>,
}

/// The section resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BeltPlan {
    /// Metres a second.
    pub speed_m_s: Option<f32>,
    /// Direction of travel in radians: 0 to the right, pi/2 down.
    pub direction_rad: Option<f32>,
    /// Pixels to a millimetre.
    pub px_per_mm: Option<f32>,
    /// Side of the smallest module in millimetres.
    pub module_mm: Option<f32>,
}

impl Belt {
    /// Checks the section and turns degrees into radians.
    pub fn resolve(&self, problems: &mut Problems) -> BeltPlan {
        if self.speed_m_s.is_some_and(|v| !(0.0..=50.0).contains(&v)) {
            problems.add(
                "belt.speed-m-s",
                "the belt's speed must lie between 0 and 50 metres a second",
                "write the speed in metres a second, as 0.8, or leave the key out if it varies",
            );
        }
        if self
            .direction_deg
            .is_some_and(|v| !(-360.0..=360.0).contains(&v))
        {
            problems.add(
                "belt.direction-deg",
                "the direction of travel must lie between -360 and 360 degrees",
                "write 0 for a belt that runs to the right in the picture, 90 for down, 180 for left, 270 for up",
            );
        }
        if self
            .px_per_mm
            .is_some_and(|v| !(0.01..=1000.0).contains(&v))
        {
            problems.add(
                "belt.px-per-mm",
                "the scale must lie between 0.01 and 1000 pixels to a millimetre",
                "lay a ruler on the belt and divide the pixels it covers by its millimetres, or leave the key out",
            );
        }
        if self.module_mm.is_some_and(|v| !(0.01..=100.0).contains(&v)) {
            problems.add(
                "belt.module-mm",
                "the side of a module must lie between 0.01 and 100 millimetres",
                "divide the width of the code in millimetres by its number of modules, or leave the key out",
            );
        }
        BeltPlan {
            speed_m_s: self.speed_m_s,
            direction_rad: self.direction_deg.map(f32::to_radians),
            px_per_mm: self.px_per_mm,
            module_mm: self.module_mm,
        }
    }
}

impl BeltSource {
    /// Checks the section `[camera.belt]`. Whether its labels fit the picture is
    /// found when the belt is opened.
    pub fn resolve(&self, problems: &mut Problems) -> BeltSourcePlan {
        let mut within = |key: &str, value: f32, low: f32, high: f32, what: &str, cure: &str| {
            if !(low..=high).contains(&value) {
                problems.add(
                    format!("camera.belt.{key}"),
                    format!("{what} must lie between {low} and {high}, not {value}"),
                    cure,
                );
            }
        };
        within(
            "speed-m-s",
            self.speed_m_s,
            0.001,
            20.0,
            "the speed in metres a second",
            "write a speed of a belt, as 1.0",
        );
        within(
            "px-per-mm",
            self.px_per_mm,
            0.1,
            100.0,
            "the scale in pixels to a millimetre",
            "write a scale, as 4.0",
        );
        within(
            "gap-mm",
            self.gap_mm,
            0.0,
            10_000.0,
            "the gap between boxes in millimetres",
            "write a gap, as 120.0",
        );
        within(
            "module-mm",
            self.module_mm,
            0.05,
            50.0,
            "the side of a module in millimetres",
            "write a printed size, as 1.0",
        );
        within(
            "noise",
            self.noise,
            0.0,
            40.0,
            "the noise in grey levels",
            "write 0 for none, about 3 for a good sensor, 8 for a bad one",
        );
        within(
            "glare",
            self.glare,
            0.0,
            0.5,
            "the share of the picture under highlights",
            "write 0 for none, 0.01 for a few lamps",
        );
        within(
            "readout-ms",
            self.readout_ms,
            0.0,
            100.0,
            "the readout time in milliseconds",
            "write 0 for a global shutter, about 8 for a rolling one",
        );
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_synthetic_belt_is_sound_and_its_faults_name_their_keys() {
        let mut problems = Problems::default();
        let plan = BeltSource::default().resolve(&mut problems);
        assert!(problems.is_empty());
        assert_eq!(plan, BeltSource::default());
        BeltSource {
            speed_m_s: 0.0,
            px_per_mm: f32::INFINITY,
            gap_mm: -1.0,
            module_mm: f32::NAN,
            noise: 41.0,
            glare: 0.6,
            readout_ms: 101.0,
            ..BeltSource::default()
        }
        .resolve(&mut problems);
        assert_eq!(problems.0.len(), 7);
        assert!(problems.0.iter().all(|p| p.key.starts_with("camera.belt.")));
    }

    #[test]
    fn degrees_become_radians_and_what_is_absent_stays_so() {
        let mut problems = Problems::default();
        let plan = Belt {
            direction_deg: Some(90.0),
            ..Belt::default()
        }
        .resolve(&mut problems);
        assert!(problems.is_empty());
        assert_eq!(plan.direction_rad, Some(std::f32::consts::FRAC_PI_2));
        assert_eq!((plan.speed_m_s, plan.px_per_mm), (None, None));
    }

    #[test]
    fn every_fault_is_reported_not_the_first() {
        let mut problems = Problems::default();
        Belt {
            speed_m_s: Some(-1.0),
            direction_deg: Some(f32::NAN),
            px_per_mm: Some(0.0),
            module_mm: Some(-0.5),
        }
        .resolve(&mut problems);
        let keys: Vec<_> = problems.0.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "belt.speed-m-s",
                "belt.direction-deg",
                "belt.px-per-mm",
                "belt.module-mm"
            ]
        );
    }
}
