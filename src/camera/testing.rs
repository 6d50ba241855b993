//! What the tests of the sources share.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{CameraError, Grab, Source};
use crate::config::{CameraPlan, Focus, SourcePlan};
use crate::frame::{Frame, Pool};

/// A plan for small pictures.
pub(super) fn plan(source: SourcePlan, width: u32, height: u32) -> CameraPlan {
    CameraPlan {
        source,
        width,
        height,
        fps: 50.0,
        exposure_us: Some(123),
        exposure_bracket: None,
        gain: None,
        focus: Focus::Leave,
        timeout: Duration::from_millis(200),
    }
}

/// Whether `program` is installed. If not, `test` is left out, aloud; a build
/// that must leave nothing out fails.
pub(super) fn have(test: &str, program: &str) -> bool {
    let found = Command::new(program)
        .arg("-version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .status()
        .is_ok();
    if !found {
        assert!(
            std::env::var_os("BELTSCAN_REQUIRE_ALL").is_none_or(|value| value != "1"),
            "{test} needs {program}"
        );
        println!("LEFT OUT: {test} needs {program}");
    }
    found
}

/// The next frame, however long it takes.
pub(super) fn next(source: &mut dyn Source, pool: &Pool) -> Result<Option<Frame>, CameraError> {
    loop {
        match source.grab(pool, Duration::from_millis(50))? {
            Grab::Frame(frame) => return Ok(Some(frame)),
            Grab::Idle => {}
            Grab::End => return Ok(None),
        }
    }
}

/// The fault that ends the frames.
pub(super) fn fault(source: &mut dyn Source, pool: &Pool) -> CameraError {
    loop {
        match next(source, pool) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("an end, but no fault"),
            Err(error) => return error,
        }
    }
}
