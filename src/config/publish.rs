//! `[reader]`, `[mqtt]`, `[outbox]`: names, broker, queue on disk.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[reader]`: names, without spaces, `/`, `+`, `#` or a leading `$`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reader {
    /// First part of every topic.
    pub prefix: String,
    /// The site.
    pub site: String,
    /// The line.
    pub line: String,
    /// This reader; also the start of every event id.
    pub name: String,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            prefix: "beltscan".into(),
            site: "site".into(),
            line: "line".into(),
            name: "reader".into(),
        }
    }
}

/// `[mqtt]` as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mqtt {
    /// `mqtt://host:1883` or `mqtts://host:8883`; empty: no broker.
    pub url: String,
    /// `3.1.1` or `5`.
    pub version: MqttVersion,
    /// Client id; empty: made from the machine id and the reader's name.
    pub client_id: String,
    /// User name.
    pub user: Option<String>,
    /// File with the password, or the name of a systemd credential
    /// (`credential:NAME`).
    pub password_file: Option<String>,
    /// Certificate authority, PEM; absent: the system's store.
    pub ca_file: Option<String>,
    /// Client certificate, PEM.
    pub cert_file: Option<String>,
    /// Its key, PEM.
    pub key_file: Option<String>,
    /// Keep-alive in seconds.
    pub keep_alive_s: u16,
    /// Events sent and not yet acknowledged, at most.
    pub window: u16,
    /// Announce the reader to Home Assistant.
    pub home_assistant: bool,
}

/// MQTT protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MqttVersion {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.
    #[default]
    #[serde(rename = "5")]
    V5,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            url: String::new(),
            version: MqttVersion::V5,
            client_id: String::new(),
            user: None,
            password_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            keep_alive_s: 30,
            window: 32,
            home_assistant: false,
        }
    }
}

/// `[outbox]` as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outbox {
    /// The database file; absent: `outbox.db` in the state directory.
    pub path: Option<PathBuf>,
    /// A decided event is on disk within this time, in ms.
    pub commit_ms: u32,
    /// Most megabytes of events; the oldest go beyond it.
    pub max_mb: u32,
    /// Oldest event kept, in hours (only while the clock is synchronised).
    pub max_age_h: u32,
    /// Events kept in memory while the disk takes none.
    pub memory_events: u32,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            path: None,
            commit_ms: 20,
            max_mb: 64,
            max_age_h: 24 * 14,
            memory_events: 10_000,
        }
    }
}

/// `[mqtt]` resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttPlan {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS, if the scheme was `mqtts`.
    pub tls: Option<TlsPlan>,
    /// Protocol version.
    pub version: MqttVersion,
    /// Client id.
    pub client_id: String,
    /// User name.
    pub user: Option<String>,
    /// Where the password is: a file, credentials resolved to their path. Read
    /// anew at every connection, so that it can be changed.
    pub password_file: Option<PathBuf>,
    /// Keep-alive.
    pub keep_alive: Duration,
    /// Unacknowledged events at most, at least 1.
    pub window: u16,
    /// Announce to Home Assistant.
    pub home_assistant: bool,
    /// Topics.
    pub topics: Topics,
}

/// TLS files, read anew at every connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPlan {
    /// Certificate authority; `None`: the system's store.
    pub ca: Option<PathBuf>,
    /// Client certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// `<prefix>/<site>/<line>/<reader>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// The root without a slash at its end.
    pub root: String,
}

/// `[outbox]` resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxPlan {
    /// The database file.
    pub path: PathBuf,
    /// Commit within this time of the decision.
    pub commit: Duration,
    /// Most bytes of events.
    pub max_bytes: u64,
    /// Oldest event kept.
    pub max_age: Duration,
    /// Events in memory while the disk takes none.
    pub memory_events: usize,
}

impl Reader {
    /// The topics of this reader.
    pub fn topics(&self) -> Topics {
        Topics {
            root: format!("{}/{}/{}/{}", self.prefix, self.site, self.line, self.name),
        }
    }
}

impl Topics {
    /// Topic of one leaf, as `read` or `cmd/trigger`.
    pub fn leaf(&self, leaf: &str) -> String {
        format!("{}/{leaf}", self.root)
    }
}
