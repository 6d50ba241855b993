//! `[belt]`: what is known of the belt under the camera.

use serde::{Deserialize, Serialize};

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
}
