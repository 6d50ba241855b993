use super::*;
use crate::config::{Focus, SourcePlan};

pub(super) fn camera_plan() -> CameraPlan {
    CameraPlan {
        source: SourcePlan::Belt(BeltSourcePlan::default()),
        width: 1280,
        height: 800,
        fps: 60.0,
        exposure_us: None,
        gain: None,
        focus: Focus::Leave,
        timeout: Duration::from_secs(2),
    }
}
