//! The announcement to Home Assistant: one device with its entities, in the shape
//! of its MQTT discovery for devices. The entities read the topics that are there
//! anyway; nothing else is published for them.

use serde_json::{Value, json};

use crate::config::Topics;

/// Topic and body of the retained announcement.
pub(super) fn announcement(topics: &Topics, client_id: &str) -> (String, Vec<u8>) {
    let id: String = client_id
        .chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => letter,
            _ => '_',
        })
        .collect();
    let entity = |name: &str, key: &str, more: Value| {
        let mut entity = json!({ "name": name, "unique_id": format!("{id}_{key}") });
        if let (Some(entity), Value::Object(more)) = (entity.as_object_mut(), more) {
            entity.extend(more);
        }
        entity
    };
    let sensor = |name: &str, key: &str, unit: Value| {
        entity(
            name,
            key,
            json!({
                "platform": "sensor",
                "state_topic": topics.leaf("stats"),
                "value_template": format!("{{{{ value_json.{key} }}}}"),
                "unit_of_measurement": unit,
                "entity_category": "diagnostic",
            }),
        )
    };
    let body = json!({
        "device": {
            "identifiers": [id],
            "name": topics.root,
            "manufacturer": "Beltscan",
            "model": "Code reader",
            "sw_version": env!("CARGO_PKG_VERSION"),
        },
        "origin": { "name": "beltscan", "sw_version": env!("CARGO_PKG_VERSION") },
        "availability": [{
            "topic": topics.leaf("status"),
            "value_template":
                "{{ 'online' if value_json.status in ['online', 'degraded'] else 'offline' }}",
        }],
        "components": {
            "last": entity("Last code", "last", json!({
                "platform": "sensor",
                "state_topic": topics.leaf("read"),
                // A state in Home Assistant has at most 255 characters.
                "value_template": "{{ (value_json.codes[0].text or '')[:255] }}",
                "icon": "mdi:qrcode-scan",
            })),
            "problem": entity("Problem", "problem", json!({
                "platform": "binary_sensor",
                "device_class": "problem",
                "state_topic": topics.leaf("status"),
                "value_template": "{{ 'OFF' if value_json.status == 'online' else 'ON' }}",
                "entity_category": "diagnostic",
            })),
            "items": sensor("Items", "items", Value::Null),
            "noread": sensor("No-reads", "noread", Value::Null),
            "fps": sensor("Frames a second", "fps", "fps".into()),
            "outbox_events": sensor("Outbox", "outbox_events", Value::Null),
            "trigger": entity("Trigger", "trigger", json!({
                "platform": "button",
                "command_topic": topics.leaf("cmd/trigger"),
                "command_template": "{{ {'request_id': 'ha-' ~ as_timestamp(now())} | to_json }}",
                "qos": 1,
            })),
        },
    });
    (
        format!("homeassistant/device/{id}/config"),
        body.to_string().into_bytes(),
    )
}
