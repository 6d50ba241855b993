//! Plain conversions for the sections whose own `resolve` is still on its way;
//! each function goes when that section has it.

use std::path::Path;
use std::time::Duration;

use super::*;

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
