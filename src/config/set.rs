//! What may be changed from afar while the daemon runs: tuning keys only. Never
//! a command, a path, the broker, a rule, or the log level (payloads are logged
//! at `debug`). A change lasts until the file is read again.

use serde::Deserialize;
use serde_json::Value;

use super::{Config, Problem, keys};

/// The keys that [`Config::set`] takes.
pub const TUNING_KEYS: [&str; 20] = [
    "belt.direction-deg",
    "belt.px-per-mm",
    "belt.speed-m-s",
    "camera.exposure-us",
    "camera.focus",
    "camera.gain",
    "item.confirm-frames",
    "item.decide",
    "item.group-mm",
    "item.group-px",
    "item.line",
    "item.lost-ms",
    "item.window-ms",
    "ocr.wait-ms",
    "read.deadline-ms",
    "read.inverted",
    "read.max-codes",
    "read.micro",
    "read.mirrored",
    "service.stats-s",
];

impl Config {
    /// Changes one tuning key to a value in JSON; `null` takes back a value that
    /// may be absent. On a fault nothing is changed.
    pub fn set(&mut self, key: &str, value: Value) -> Result<(), Problem> {
        let refuse = |message: String, cure: String| Problem {
            key: key.chars().take(100).collect(),
            line: None,
            message,
            cure,
        };
        if !TUNING_KEYS.contains(&key) {
            let message = "this cannot be set from afar".to_owned();
            return Err(match keys::nearest(key, TUNING_KEYS) {
                Some(nearest) => refuse(message, format!("did you mean `{nearest}`?")),
                None => refuse(
                    message,
                    format!(
                        "change it in the file and reload; can be set: {}",
                        TUNING_KEYS.join(", ")
                    ),
                ),
            });
        }
        if value
            .as_f64()
            .is_some_and(|n| n.abs() > f64::from(f32::MAX))
        {
            return Err(refuse("the number is too large".into(), String::new()));
        }
        let misfit = |error: serde_json::Error| {
            refuse(
                format!("the value does not fit: {error}"),
                "write it in JSON as the configuration would in TOML".into(),
            )
        };
        let mut whole = serde_json::to_value(&*self).map_err(misfit)?;
        if let Some(place) = whole.pointer_mut(&format!("/{}", key.replace('.', "/"))) {
            *place = value;
        }
        let changed = Config::deserialize(whole).map_err(misfit)?;
        match changed.plan() {
            Ok(_) => {
                *self = changed;
                Ok(())
            }
            Err(mut problems) => {
                // Its own fault first, if the key has one.
                let own = problems.0.iter().position(|p| p.key == key).unwrap_or(0);
                Err(problems.0.swap_remove(own))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::{Decide, Focus};

    proptest! {
        #[test]
        fn whatever_is_sent_is_taken_whole_or_changes_nothing(
            key in prop::sample::select(&TUNING_KEYS[..]),
            value in prop_oneof![
                any::<f64>().prop_map(|n| json!(n)),
                any::<i64>().prop_map(|n| json!(n)),
                any::<bool>().prop_map(|b| json!(b)),
                ".{0,20}".prop_map(|text| json!(text)),
                Just(json!({"": []})),
            ],
        ) {
            let mut config = Config::default();
            match config.set(key, value) {
                Ok(()) => prop_assert!(config.plan().is_ok()),
                Err(_) => prop_assert_eq!(config, Config::default()),
            }
        }
    }

    #[test]
    fn every_tuning_key_is_a_key_and_takes_its_own_value_back() {
        let known = keys::known();
        let mut config = Config::default();
        let whole = serde_json::to_value(&config).unwrap();
        for key in TUNING_KEYS {
            assert!(known.iter().any(|k| k == key), "{key}");
            let own = whole.pointer(&format!("/{}", key.replace('.', "/")));
            config.set(key, own.cloned().unwrap()).unwrap();
        }
        assert_eq!(config, Config::default());
    }

    #[test]
    fn tuning_keys_change_and_change_back() {
        let mut config = Config::default();
        config.set("camera.exposure-us", json!(250)).unwrap();
        config.set("camera.focus", json!("auto")).unwrap();
        config.set("camera.gain", json!(1.5)).unwrap();
        config.set("item.decide", json!("leave")).unwrap();
        assert_eq!(config.camera.exposure_us, Some(250));
        assert_eq!(config.camera.focus, Focus::Auto);
        assert_eq!(config.camera.gain, Some(1.5));
        assert_eq!(config.item.decide, Decide::Leave);
        config.set("camera.focus", json!(12.5)).unwrap();
        assert_eq!(config.camera.focus, Focus::At(12.5));
        config.set("camera.exposure-us", Value::Null).unwrap();
        assert_eq!(config.camera.exposure_us, None);
    }

    #[test]
    fn commands_paths_and_the_broker_cannot_be_set() {
        let mut config = Config::default();
        for key in keys::known() {
            let last = key.rsplit('.').next().unwrap_or_default();
            let dangerous = key.starts_with("mqtt.")
                || key.starts_with("output.")
                || key.starts_with("log.")
                || key.starts_with("rule.")
                || key.starts_with("reader.")
                || ["command", "source", "device", "path", "dir", "state-dir"].contains(&last);
            if dangerous {
                let refused = config.set(&key, json!("/bin/sh")).unwrap_err();
                assert!(refused.message.contains("cannot be set"), "{refused}");
            }
        }
        assert_eq!(config, Config::default());
    }

    #[test]
    fn a_value_that_does_not_fit_changes_nothing() {
        let mut config = Config::default();
        for (key, value) in [
            ("camera.exposure-us", json!(-1)),
            ("camera.exposure-us", json!("fast")),
            ("camera.gain", json!(1e300)),
            ("camera.gain", json!([1])),
            ("item.decide", json!("sometimes")),
            ("read.deadline-ms", json!(-5)),
            ("read.deadline-ms", json!(null)),
            ("read.max-codes", json!(0)),
            ("camera", json!({})),
            ("", json!(1)),
        ] {
            let refused = config.set(key, value.clone()).unwrap_err();
            assert!(!refused.message.is_empty(), "{key} = {value}");
        }
        assert_eq!(config, Config::default());
    }
}
