//! Plain conversions for the sections whose own `resolve` is still on its way;
//! each function goes when that section has it.

use std::path::Path;
use std::time::Duration;

use super::*;

pub(super) fn camera(camera: &Camera, problems: &mut Problems) -> CameraPlan {
    let source = match camera.source.as_str() {
        "v4l2" => SourcePlan::V4l2 {
            device: camera.device.clone().into(),
            format: camera.format,
        },
        "nokhwa" => SourcePlan::Nokhwa {
            device: camera.device.clone(),
        },
        "rpicam" => SourcePlan::Rpicam {
            command: if camera.command.is_empty() {
                vec!["rpicam-vid".into()]
            } else {
                camera.command.clone()
            },
        },
        "pipe" => SourcePlan::Pipe {
            command: camera.command.clone(),
            format: camera.pipe_format,
        },
        "replay" => SourcePlan::Replay {
            path: camera.path.clone(),
            rate: camera.rate,
            repeat: camera.repeat,
        },
        "belt" => SourcePlan::Belt(camera.belt.clone()),
        other => {
            problems.add(
                "camera.source",
                format!("\"{}\" is no source", other.escape_debug()),
                "write v4l2, rpicam, pipe, replay, belt or nokhwa",
            );
            SourcePlan::Belt(camera.belt.clone())
        }
    };
    if camera.width == 0 || camera.width > 16384 {
        problems.add("camera.width", "out of range", "write 1 to 16384");
    }
    if camera.height == 0 || camera.height > 16384 {
        problems.add("camera.height", "out of range", "write 1 to 16384");
    }
    if !(0.01..=10_000.0).contains(&camera.fps) {
        problems.add("camera.fps", "out of range", "write 0.01 to 10000");
    }
    CameraPlan {
        source,
        width: camera.width,
        height: camera.height,
        fps: camera.fps,
        exposure_us: camera.exposure_us,
        gain: camera.gain,
        focus: camera.focus,
        timeout: Duration::from_millis(camera.timeout_ms.into()),
    }
}

pub(super) fn belt(belt: &Belt, _: &mut Problems) -> BeltPlan {
    BeltPlan {
        speed_m_s: belt.speed_m_s,
        direction_rad: belt.direction_deg.map(f32::to_radians),
        px_per_mm: belt.px_per_mm,
    }
}

pub(super) fn item(
    item: &Item,
    camera: &CameraPlan,
    belt: &BeltPlan,
    _: &mut Problems,
) -> ItemPlan {
    ItemPlan {
        group_px: match belt.px_per_mm {
            Some(px_per_mm) if item.group_mm > 0.0 => item.group_mm * px_per_mm,
            _ => item.group_px,
        },
        lost: Duration::from_millis(item.lost_ms.into()),
        decide: item.decide,
        confirm_frames: item.confirm_frames.max(1),
        line: item.line,
        trigger: item.trigger,
        window: Duration::from_millis(item.window_ms.into()),
        belt_px_s: None,
        direction_rad: belt.direction_rad,
        width: camera.width,
        height: camera.height,
    }
}

pub(super) fn rules(rules: &[Rule], problems: &mut Problems) -> Vec<RulePlan> {
    let mut plans = Vec::new();
    for (nth, rule) in rules.iter().enumerate() {
        let regex = rule.regex.as_deref().and_then(|text| {
            regex::Regex::new(&format!("^(?:{text})$"))
                .inspect_err(|error| {
                    problems.add(
                        format!("rule[{nth}].regex"),
                        error.to_string(),
                        "write a regular expression",
                    )
                })
                .ok()
        });
        plans.push(RulePlan {
            name: rule.name.clone(),
            regex,
            prefix: rule.prefix.clone(),
            length: rule.length,
            gs1: rule.gs1,
            expected: (!rule.expected.is_empty()).then(|| rule.expected.iter().cloned().collect()),
        });
    }
    plans
}

pub(super) fn noreads(noreads: &NoReads, state_dir: &Path, _: &mut Problems) -> NoReadsPlan {
    NoReadsPlan {
        publish: noreads.publish,
        dir: noreads.save.then(|| {
            noreads
                .dir
                .clone()
                .unwrap_or_else(|| state_dir.join("noread"))
        }),
        max_files: noreads.max_files,
        max_bytes: u64::from(noreads.max_mb) << 20,
        max_age: Duration::from_secs(u64::from(noreads.max_age_h) * 3600),
    }
}

pub(super) fn reader(reader: &Reader, _: &mut Problems) -> Reader {
    reader.clone()
}

pub(super) fn mqtt(mqtt: &Mqtt, reader: &Reader, problems: &mut Problems) -> Option<MqttPlan> {
    if mqtt.url.is_empty() {
        return None;
    }
    let Some(host) = mqtt.url.strip_prefix("mqtt://") else {
        problems.add("mqtt.url", "no broker's address", "write mqtt://host:1883");
        return None;
    };
    let (host, port) = host.split_once(':').unwrap_or((host, "1883"));
    Some(MqttPlan {
        host: host.into(),
        port: port.parse().unwrap_or(1883),
        tls: None,
        version: mqtt.version,
        client_id: mqtt.client_id.clone(),
        user: mqtt.user.clone(),
        password_file: None,
        keep_alive: Duration::from_secs(mqtt.keep_alive_s.into()),
        window: mqtt.window.max(1),
        home_assistant: mqtt.home_assistant,
        topics: reader.topics(),
    })
}

pub(super) fn outbox(outbox: &Outbox, state_dir: &Path, _: &mut Problems) -> OutboxPlan {
    OutboxPlan {
        path: outbox
            .path
            .clone()
            .unwrap_or_else(|| state_dir.join("outbox.db")),
        commit: Duration::from_millis(outbox.commit_ms.into()),
        max_bytes: u64::from(outbox.max_mb) << 20,
        max_age: Duration::from_secs(u64::from(outbox.max_age_h) * 3600),
        memory_events: outbox.memory_events as usize,
    }
}
