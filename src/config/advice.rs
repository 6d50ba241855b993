//! The second look at a configuration: what is allowed, and will work, but is
//! probably not what was meant. Nothing here stops a start.

use std::time::Duration;

use log::LevelFilter;

use super::{Decide, Plan, Problems, Reader, SourcePlan, TriggerMode, UNIT_MEMORY_MAX};

impl Plan {
    /// What should be looked at again.
    pub fn warnings(&self) -> Problems {
        let mut warnings = Problems::default();
        self.about_motion(&mut warnings);
        self.about_time(&mut warnings);
        self.about_events(&mut warnings);
        self.about_privacy(&mut warnings);
        let memory = self.memory_minimum();
        if memory > UNIT_MEMORY_MAX {
            warnings.add(
                "",
                format!(
                    "up to {} MB of memory; the unit as shipped allows {}",
                    memory >> 20,
                    UNIT_MEMORY_MAX >> 20
                ),
                format!(
                    "set MemoryMax={0}M and MemoryHigh={0}M in the unit (systemctl edit), or take \
                     a smaller picture, fewer read.threads or less outbox.memory-events",
                    memory >> 20
                ),
            );
        }
        warnings
    }

    fn about_motion(&self, warnings: &mut Problems) {
        let live = matches!(
            self.camera.source,
            SourcePlan::V4l2 { .. } | SourcePlan::Nokhwa { .. } | SourcePlan::Rpicam { .. }
        );
        let moving = self.belt.speed_m_s.is_some_and(|speed| speed > 0.0);
        if live && moving && self.camera.exposure_us.is_none() {
            warnings.add(
                "camera.exposure-us",
                "the belt moves and the exposure is left to the camera: codes will blur",
                match self.motion().and_then(|motion| motion.best_exposure_us) {
                    Some(us) => format!("set it to {us:.0} or less, with more light or gain"),
                    None => "set it so that speed x exposure stays below half a module".into(),
                },
            );
        }
        let Some(motion) = self.motion() else {
            return;
        };
        if let (Some(blur), Some(best)) = (motion.blur_modules, motion.best_exposure_us)
            && blur > 1.0
        {
            warnings.add(
                "camera.exposure-us",
                format!(
                    "the belt moves {blur:.1} modules during the exposure; beyond 1 codes are lost"
                ),
                format!("set it to {best:.0} or less, with more light or gain"),
            );
        }
        if let Some(module_px) = motion.module_px
            && module_px < 2.0
        {
            warnings.add(
                "belt.module-mm",
                format!("a module is {module_px:.1} pixels wide; below 2 many codes are not read"),
                "bring the camera closer, or take a larger picture",
            );
        }
        let needed = self.item.confirm_frames.max(2) as f32;
        if motion.frames_in_view < needed {
            warnings.add(
                "camera.fps",
                format!(
                    "an item is in view for {:.1} frames, and {needed:.0} are needed",
                    motion.frames_in_view
                ),
                "take more frames a second, a wider view, or fewer item.confirm-frames",
            );
        }
    }

    fn about_time(&self, warnings: &mut Problems) {
        let interval = 1.0 / self.camera.fps;
        let readable = self.read.threads as f32 * interval;
        if self.read.deadline.as_secs_f32() > readable * 1.001 {
            warnings.add(
                "read.deadline-ms",
                format!(
                    "{} threads with this time for each frame cannot keep up with {} frames a second",
                    self.read.threads, self.camera.fps
                ),
                format!("write at most {:.1}, or 0", readable * 1000.0),
            );
        }
        if self.item.lost.as_secs_f32() < 2.0 * interval {
            warnings.add(
                "item.lost-ms",
                "an item that is missed in a single frame counts as gone, and is published again",
                format!("write at least {:.0}", 3000.0 * interval),
            );
        }
        if self.item.trigger == TriggerMode::Window
            && self.item.window.as_secs_f32() < 2.0 * interval
        {
            warnings.add(
                "item.window-ms",
                "a window of less than two frames",
                format!("write at least {:.0}", 3000.0 * interval),
            );
        }
        if self.service.drain > Duration::from_secs(15) {
            warnings.add(
                "service.drain-s",
                "the shipped unit gives 20 s for the whole stop",
                "write at most 15, or raise TimeoutStopSec= of the unit",
            );
        }
    }

    fn about_events(&self, warnings: &mut Problems) {
        if self.mqtt.is_none() && !self.output.stdout && self.output.file.is_none() {
            warnings.add(
                "mqtt.url",
                "events go nowhere: there is no broker and no other output",
                "name a broker, or set output.stdout",
            );
        }
        let names = Reader::default();
        if self.mqtt.is_some() && self.reader == names {
            warnings.add(
                "reader.name",
                "the reader has the names of the defaults; a second one would share its topics",
                "name site, line and reader",
            );
        }
        if self.item.decide == Decide::Line && self.item.direction_rad.is_none() {
            warnings.add(
                "item.decide",
                "the line lies across a direction that is not known until something has moved",
                "set belt.direction-deg",
            );
        }
        if ["/tmp", "/run", "/dev/shm"]
            .iter()
            .any(|volatile| self.outbox.path.starts_with(volatile))
        {
            warnings.add(
                "service.state-dir",
                "the outbox lies in memory: events that are not sent are lost at a reboot",
                "leave the key out, or name a folder on a disk",
            );
        }
    }

    fn about_privacy(&self, warnings: &mut Problems) {
        if let Some(mqtt) = &self.mqtt {
            let here = ["localhost", "127.0.0.1", "::1", "[::1]"].contains(&mqtt.host.as_str());
            if mqtt.tls.is_none() && mqtt.password_file.is_some() && !here {
                warnings.add(
                    "mqtt.url",
                    "the password crosses the network in the clear",
                    "use mqtts://",
                );
            }
        }
        let loud = self
            .log
            .level
            .split(',')
            .filter_map(|directive| directive.rsplit('=').next())
            .filter_map(|level| level.trim().parse::<LevelFilter>().ok())
            .any(|level| level >= LevelFilter::Debug);
        if loud {
            warnings.add(
                "log.level",
                "what codes say stands on the log at debug",
                "write info once the fault is found",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn keys(text: &str) -> Vec<String> {
        let mut config = Config::parse(text).unwrap();
        // Not as many as this machine has cores.
        if config.read.threads == 0 {
            config.read.threads = 2;
        }
        let plan = config.plan().unwrap();
        plan.warnings().0.into_iter().map(|w| w.key).collect()
    }

    #[test]
    fn a_sensible_file_has_no_warnings() {
        assert_eq!(
            keys(include_str!("../../config/examples/pi-line.toml")),
            [""; 0]
        );
    }

    #[test]
    fn each_silly_setting_is_warned_of() {
        let sane = "[output]\nstdout = true\n";
        for (text, key) in [
            ("[belt]\nspeed-m-s = 1\n", "camera.exposure-us"),
            (
                "[camera]\nexposure-us = 2000\n[belt]\nspeed-m-s = 1\npx-per-mm = 4\nmodule-mm = 0.5\n",
                "camera.exposure-us",
            ),
            (
                "[camera]\nexposure-us = 10\n[belt]\nspeed-m-s = 0.1\npx-per-mm = 1\nmodule-mm = 1\n",
                "belt.module-mm",
            ),
            (
                "[camera]\nfps = 5\nexposure-us = 10\n[belt]\nspeed-m-s = 1\npx-per-mm = 4\n",
                "camera.fps",
            ),
            (
                "[read]\nthreads = 1\ndeadline-ms = 20\n",
                "read.deadline-ms",
            ),
            ("[item]\nlost-ms = 20\n", "item.lost-ms"),
            (
                "[item]\ntrigger = \"window\"\nwindow-ms = 20\n",
                "item.window-ms",
            ),
            ("[item]\ndecide = \"line\"\n", "item.decide"),
            ("[service]\ndrain-s = 60\n", "service.drain-s"),
            ("[service]\nstate-dir = \"/tmp/x\"\n", "service.state-dir"),
            (
                "[log]\nlevel = \"info,beltscan::item=debug\"\n",
                "log.level",
            ),
            ("[mqtt]\nurl = \"mqtt://broker\"\n", "reader.name"),
            ("[camera]\nwidth = 8000\nheight = 8000\n", ""),
        ] {
            assert_eq!(keys(&format!("{sane}{text}")), [key], "{text}");
        }
        assert_eq!(keys(""), ["mqtt.url"]);
    }
}
