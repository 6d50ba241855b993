//! What the belt's motion does to the picture, as far as the configuration tells.

use super::{Plan, SourcePlan};

/// Worked out from speed, scale, exposure and frame rate.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Motion {
    /// Travel from one frame to the next, in mm.
    pub travel_mm: f32,
    /// The same in pixels.
    pub travel_px: f32,
    /// Frames in which a point of the belt is in the picture.
    pub frames_in_view: f32,
    /// Travel during the exposure in mm, if that is known.
    pub blur_mm: Option<f32>,
    /// The same in pixels.
    pub blur_px: Option<f32>,
    /// The same in modules, if their size is known.
    pub blur_modules: Option<f32>,
    /// Side of a module in pixels, if known.
    pub module_px: Option<f32>,
    /// The longest exposure in microseconds that keeps the blur at half a
    /// module, if their size is known.
    pub best_exposure_us: Option<f32>,
}

/// Blur that costs no reads, in modules. On sharp, noise-free pictures plain
/// reading holds to one module and fails before two (measured with box blur on
/// version 2 symbols of 3 and 4 px a module); half of it leaves room for noise
/// and defocus.
const GOOD_BLUR_MODULES: f32 = 0.5;

impl Plan {
    /// `None` if speed or scale are not known, or the belt stands still.
    pub fn motion(&self) -> Option<Motion> {
        let camera = &self.camera;
        let (speed_m_s, px_per_mm, module_mm, exposure_us) = match &camera.source {
            // The synthetic belt knows itself; without an exposure it takes 250 us.
            SourcePlan::Belt(belt) => (
                belt.speed_m_s,
                belt.px_per_mm,
                Some(belt.module_mm),
                Some(camera.exposure_us.unwrap_or(250)),
            ),
            _ => (
                self.belt.speed_m_s?,
                self.belt.px_per_mm?,
                self.belt.module_mm,
                camera.exposure_us,
            ),
        };
        if speed_m_s <= 0.0 {
            return None;
        }
        // m/s are mm/ms, and um/us.
        let travel_mm = speed_m_s * 1000.0 / camera.fps;
        let travel_px = travel_mm * px_per_mm;
        let (sin, cos) = self.belt.direction_rad.unwrap_or(0.0).sin_cos();
        // The way through the middle of the picture along the belt.
        let way_px = (camera.width as f32 / cos.abs().max(1e-6))
            .min(camera.height as f32 / sin.abs().max(1e-6));
        let blur_mm = exposure_us.map(|us| speed_m_s * us as f32 / 1000.0);
        Some(Motion {
            travel_mm,
            travel_px,
            frames_in_view: way_px / travel_px,
            blur_mm,
            blur_px: blur_mm.map(|mm| mm * px_per_mm),
            blur_modules: blur_mm.zip(module_mm).map(|(blur, module)| blur / module),
            module_px: module_mm.map(|mm| mm * px_per_mm),
            best_exposure_us: module_mm
                .map(|module| GOOD_BLUR_MODULES * module * 1000.0 / speed_m_s),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn motion(text: &str) -> Option<super::Motion> {
        Config::parse(text).unwrap().plan().unwrap().motion()
    }

    #[test]
    fn travel_and_blur_follow_from_speed_scale_and_exposure() {
        let motion = motion(
            "[camera]\nwidth = 1280\nheight = 800\nfps = 50\nexposure-us = 250\n\
             [belt]\nspeed-m-s = 0.5\npx-per-mm = 4\nmodule-mm = 0.5\n",
        )
        .unwrap();
        let near = |a: f32, b: f32| (a - b).abs() < 1e-3 * b;
        assert!(near(motion.travel_mm, 10.0) && near(motion.travel_px, 40.0));
        assert!(near(motion.frames_in_view, 32.0));
        assert!(near(motion.blur_mm.unwrap(), 0.125) && near(motion.blur_px.unwrap(), 0.5));
        assert!(near(motion.blur_modules.unwrap(), 0.25));
        assert!(near(motion.module_px.unwrap(), 2.0));
        assert!(near(motion.best_exposure_us.unwrap(), 500.0));
    }

    #[test]
    fn a_belt_that_runs_down_is_in_view_for_the_height() {
        let down = "[belt]\nspeed-m-s = 1\npx-per-mm = 6\ndirection-deg = 90\n";
        let motion = motion(down).unwrap();
        assert!((motion.frames_in_view - 8.0).abs() < 0.01, "{motion:?}");
        assert_eq!((motion.blur_mm, motion.best_exposure_us), (None, None));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for text in [
            "",
            "[belt]\nspeed-m-s = 1\n",
            "[belt]\npx-per-mm = 1\n",
            "[belt]\nspeed-m-s = 0\npx-per-mm = 1\n",
        ] {
            assert_eq!(motion(text), None, "{text}");
        }
        assert!(motion("camera.source = \"belt\"").unwrap().blur_modules > Some(0.2));
    }
}
