//! `[reader]`, `[mqtt]`, `[outbox]`: names, broker, queue on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Problems;

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

    /// Checks the names; they are used as they are written.
    pub fn resolve(&self, problems: &mut Problems) -> Reader {
        for (key, name) in [
            ("reader.prefix", &self.prefix),
            ("reader.site", &self.site),
            ("reader.line", &self.line),
            ("reader.name", &self.name),
        ] {
            let wrong = |letter: char| {
                letter.is_whitespace() || letter.is_control() || "/+#\"\\".contains(letter)
            };
            if name.is_empty() || name.starts_with('$') || name.contains(wrong) {
                problems.add(
                    key,
                    format!("\"{}\" cannot be part of a topic", name.escape_debug()),
                    "write a name without spaces, quotes, '/', '+', '#' or a '$' in front, as \
                     \"line-3\"",
                );
            } else if name.len() > LONGEST_NAME {
                problems.add(
                    key,
                    format!("it has {} bytes", name.len()),
                    format!("write at most {LONGEST_NAME}"),
                );
            }
        }
        self.clone()
    }
}

impl Topics {
    /// Topic of one leaf, as `read` or `cmd/trigger`.
    pub fn leaf(&self, leaf: &str) -> String {
        format!("{}/{leaf}", self.root)
    }
}

/// Longest part of a topic, so that all of it stays far below MQTT's 65,535 bytes.
const LONGEST_NAME: usize = 64;

/// Where systemd puts the credentials of a unit.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

impl Mqtt {
    /// Resolves the section; `None` if no broker is configured, or if its address
    /// is a fault. systemd's `CREDENTIALS_DIRECTORY` is read from the environment.
    pub fn resolve(&self, reader: &Reader, problems: &mut Problems) -> Option<MqttPlan> {
        let credentials = std::env::var_os(CREDENTIALS).map(PathBuf::from);
        self.resolve_with(reader, credentials.as_deref(), problems)
    }

    fn resolve_with(
        &self,
        reader: &Reader,
        credentials: Option<&Path>,
        problems: &mut Problems,
    ) -> Option<MqttPlan> {
        let broker = match self.url.is_empty() {
            true => None,
            false => address(&self.url, problems),
        };
        let password_file = self.password(credentials, problems);
        let tls = self.tls_files(broker.as_ref(), problems);
        if self.client_id.len() > 256 || self.client_id.contains(char::is_control) {
            problems.add(
                "mqtt.client-id",
                "it is too long or has control characters",
                "write at most 256 printable characters, or leave it empty",
            );
        }
        // Below 5 s the client library refuses, and a busy machine misses a ping.
        if self.keep_alive_s < 5 {
            problems.add(
                "mqtt.keep-alive-s",
                format!("{} s is too short", self.keep_alive_s),
                "write 5 to 65535",
            );
        }
        if !(1..=1000).contains(&self.window) {
            problems.add(
                "mqtt.window",
                format!("{} events under way", self.window),
                "write 1 to 1000",
            );
        }
        let (_, host, port) = broker?;
        let client_id = match self.client_id.is_empty() {
            true => client_id(&machine_id(), reader),
            false => self.client_id.clone(),
        };
        Some(MqttPlan {
            host,
            port,
            tls,
            version: self.version,
            client_id,
            user: self.user.clone(),
            password_file,
            keep_alive: Duration::from_secs(self.keep_alive_s.max(5).into()),
            window: self.window.clamp(1, 1000),
            home_assistant: self.home_assistant,
            topics: reader.topics(),
        })
    }

    fn password(&self, credentials: Option<&Path>, problems: &mut Problems) -> Option<PathBuf> {
        const KEY: &str = "mqtt.password-file";
        let file = self.password_file.as_ref()?;
        if self.user.is_none() {
            problems.add(KEY, "there is a password but no user", "set mqtt.user too");
        }
        let Some(name) = file.strip_prefix("credential:") else {
            return existing(KEY, file, problems);
        };
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            problems.add(
                KEY,
                format!("\"{}\" is no name of a credential", name.escape_debug()),
                "write credential:NAME with the NAME that LoadCredential= in the unit has",
            );
            return None;
        }
        let Some(folder) = credentials else {
            problems.add(
                KEY,
                format!("there are no credentials here ({CREDENTIALS} is not set)"),
                "run it as the service, with LoadCredential= in the unit, or name a file",
            );
            return None;
        };
        existing(KEY, &folder.join(name).to_string_lossy(), problems)
    }

    fn tls_files(
        &self,
        broker: Option<&(bool, String, u16)>,
        problems: &mut Problems,
    ) -> Option<TlsPlan> {
        let mut file = |key: &str, name: &Option<String>| {
            name.as_ref().and_then(|name| existing(key, name, problems))
        };
        let ca = file("mqtt.ca-file", &self.ca_file);
        let cert = file("mqtt.cert-file", &self.cert_file);
        let key = file("mqtt.key-file", &self.key_file);
        for (has, lacks, has_key, lacks_key) in [
            (
                &self.cert_file,
                &self.key_file,
                "mqtt.cert-file",
                "mqtt.key-file",
            ),
            (
                &self.key_file,
                &self.cert_file,
                "mqtt.key-file",
                "mqtt.cert-file",
            ),
        ] {
            if has.is_some() && lacks.is_none() {
                problems.add(
                    has_key,
                    "a certificate is of use only with its key, and a key with its certificate",
                    format!("set {lacks_key} too"),
                );
            }
        }
        let given = [
            ("mqtt.ca-file", &self.ca_file),
            ("mqtt.cert-file", &self.cert_file),
            ("mqtt.key-file", &self.key_file),
        ];
        let encrypted = broker.map(|(encrypted, ..)| *encrypted);
        if encrypted == Some(false) {
            for (key, _) in given.iter().filter(|(_, file)| file.is_some()) {
                problems.add(
                    *key,
                    "the broker's address says that there is no TLS",
                    "write mqtts:// in mqtt.url, or take this key out",
                );
            }
        }
        (encrypted == Some(true)).then(|| TlsPlan {
            ca,
            client: cert.zip(key),
        })
    }
}

/// Scheme (TLS or not), host and port of a broker's address.
fn address(url: &str, problems: &mut Problems) -> Option<(bool, String, u16)> {
    const CURE: &str = "write mqtt://host:1883, or mqtts://host:8883 for TLS";
    let mut wrong = |message: String, cure: &str| {
        problems.add("mqtt.url", message, cure);
        None
    };
    // A password in it must not reach a log.
    if url.contains('@') {
        return wrong(
            "it holds a user or a password".into(),
            "set mqtt.user and mqtt.password-file instead",
        );
    }
    let uri: http::Uri = match url.parse() {
        Ok(uri) => uri,
        Err(error) => return wrong(format!("\"{url}\" is no address: {error}"), CURE),
    };
    let (encrypted, usual) = match uri.scheme_str() {
        Some("mqtt") => (false, 1883),
        Some("mqtts") => (true, 8883),
        _ => return wrong(format!("\"{url}\" begins with neither"), CURE),
    };
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return wrong(format!("\"{url}\" has more than host and port"), CURE);
    }
    // An IPv6 address stands in brackets in an address, and without them elsewhere.
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let has_port = uri.authority().is_some_and(|all| {
        let behind = all.as_str().rsplit(']').next().unwrap_or_default();
        behind.contains(':')
    });
    let port = match (uri.port_u16(), has_port) {
        (Some(0), _) | (None, true) => {
            return wrong(format!("\"{url}\" has no port from 1 to 65535"), CURE);
        }
        (Some(port), _) => port,
        (None, false) => usual,
    };
    if host.is_empty() {
        return wrong(format!("\"{url}\" names no host"), CURE);
    }
    Some((encrypted, host.to_owned(), port))
}

/// `file` as a path, if it is a file that can be opened.
fn existing(key: &str, file: &str, problems: &mut Problems) -> Option<PathBuf> {
    let opened = std::fs::File::open(file).and_then(|open| open.metadata());
    let fault = match opened {
        Ok(about) if about.is_file() => return Some(PathBuf::from(file)),
        Ok(_) => "it is no file".to_owned(),
        Err(error) => error.to_string(),
    };
    problems.add(
        key,
        format!("{file} cannot be read: {fault}"),
        "name a file that the user of the service may read",
    );
    None
}

/// The machine's id, or what comes nearest where it has none.
fn machine_id() -> String {
    [
        "/etc/machine-id",
        "/var/lib/dbus/machine-id",
        "/proc/sys/kernel/hostname",
    ]
    .into_iter()
    .filter_map(|file| std::fs::read_to_string(file).ok())
    .map(|text| text.trim().to_owned())
    .find(|text| !text.is_empty())
    .unwrap_or_default()
}

/// A client id that is the same at every start and another one on every machine
/// and for every reader. The machine id itself is a secret of the machine
/// (machine-id(5)): only a hash with a key of ours leaves it.
fn client_id(machine_id: &str, reader: &Reader) -> String {
    let hash = Sha256::new()
        .chain_update(b"beltscan mqtt client id\0")
        .chain_update(machine_id.as_bytes())
        .chain_update(b"\0")
        .chain_update(reader.topics().root.as_bytes())
        .finalize();
    let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("beltscan-{}-{hash}", reader.name)
}

impl Outbox {
    /// Resolves the section. `state_dir` is where state lives.
    pub fn resolve(&self, state_dir: &Path, problems: &mut Problems) -> OutboxPlan {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => state_dir.join("outbox.db"),
        };
        if self.path.is_some() && (!path.is_absolute() || path.file_name().is_none()) {
            problems.add(
                "outbox.path",
                format!("\"{}\" is no absolute path of a file", path.display()),
                "write it from the root on, as \"/var/lib/beltscan/outbox.db\"",
            );
        }
        let mut within = |key: &str, value: u32, least: u32, most: u32| {
            if !(least..=most).contains(&value) {
                problems.add(
                    key,
                    format!("{value} is out of range"),
                    format!("write {least} to {most}"),
                );
            }
            value.clamp(least, most)
        };
        let commit_ms = within("outbox.commit-ms", self.commit_ms, 0, 1000);
        let max_mb = within("outbox.max-mb", self.max_mb, 1, 65_536);
        let max_age_h = within("outbox.max-age-h", self.max_age_h, 1, 24 * 3650);
        let memory_events = within("outbox.memory-events", self.memory_events, 1, 1_000_000);
        OutboxPlan {
            path,
            commit: Duration::from_millis(commit_ms.into()),
            max_bytes: u64::from(max_mb) << 20,
            max_age: Duration::from_secs(u64::from(max_age_h) * 3600),
            memory_events: memory_events as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(problems: &Problems) -> Vec<&str> {
        problems.0.iter().map(|fault| fault.key.as_str()).collect()
    }

    fn broker(url: &str) -> Option<(bool, String, u16)> {
        let mut problems = Problems::default();
        let broker = address(url, &mut problems);
        assert_eq!(broker.is_none(), !problems.is_empty(), "{url}");
        assert!(!format!("{problems:?}").contains("secret"), "{problems:?}");
        broker
    }

    #[test]
    fn addresses_of_brokers() {
        let some = |tls, host: &str, port| Some((tls, host.to_owned(), port));
        assert_eq!(broker("mqtt://hall"), some(false, "hall", 1883));
        assert_eq!(broker("mqtt://hall/"), some(false, "hall", 1883));
        assert_eq!(broker("mqtts://hall.lan"), some(true, "hall.lan", 8883));
        assert_eq!(
            broker("mqtt://10.0.0.1:1999"),
            some(false, "10.0.0.1", 1999)
        );
        assert_eq!(
            broker("mqtt://[fe80::1]:1884"),
            some(false, "fe80::1", 1884)
        );
        assert_eq!(broker("mqtts://[::1]"), some(true, "::1", 8883));
        for wrong in [
            "hall",
            "http://hall",
            "mqtt://",
            "mqtt://hall:0",
            "mqtt://hall:99999",
            "mqtt://hall:",
            "mqtt://hall/topic",
            "mqtt://hall?x=1",
            "mqtt://me:secret@hall",
            "mqtt://ha ll",
        ] {
            assert_eq!(broker(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_that_would_break_a_topic_are_refused_all_at_once() {
        let reader = Reader {
            prefix: "$sys".into(),
            site: "a/b".into(),
            line: "line 3".into(),
            name: "".into(),
        };
        let mut problems = Problems::default();
        reader.resolve(&mut problems);
        assert_eq!(
            keys(&problems),
            ["reader.prefix", "reader.site", "reader.line", "reader.name"]
        );
        let mut none = Problems::default();
        Reader::default().resolve(&mut none);
        assert!(none.is_empty());
    }

    #[test]
    fn every_fault_of_the_broker_is_reported() {
        let mqtt = Mqtt {
            url: "mqtt://hall".into(),
            password_file: Some("credential:../x".into()),
            ca_file: Some("/nowhere/ca.pem".into()),
            cert_file: Some("/nowhere/cert.pem".into()),
            keep_alive_s: 1,
            window: 0,
            ..Mqtt::default()
        };
        let mut problems = Problems::default();
        mqtt.resolve_with(&Reader::default(), None, &mut problems);
        assert_eq!(
            keys(&problems),
            [
                "mqtt.password-file",
                "mqtt.password-file",
                "mqtt.ca-file",
                "mqtt.cert-file",
                "mqtt.cert-file",
                "mqtt.ca-file",
                "mqtt.cert-file",
                "mqtt.keep-alive-s",
                "mqtt.window",
            ]
        );
    }

    #[test]
    fn a_credential_is_a_file_in_systemds_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("secret"), "x").expect("written");
        let mqtt = Mqtt {
            url: "mqtts://hall".into(),
            user: Some("reader".into()),
            password_file: Some("credential:secret".into()),
            ..Mqtt::default()
        };
        let mut problems = Problems::default();
        let plan = mqtt
            .resolve_with(&Reader::default(), Some(folder.path()), &mut problems)
            .expect("a plan");
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(plan.password_file, Some(folder.path().join("secret")));
        assert_eq!(plan.tls, Some(TlsPlan::default()));

        mqtt.resolve_with(&Reader::default(), None, &mut problems);
        assert_eq!(keys(&problems), ["mqtt.password-file"]);
    }

    #[test]
    fn client_ids_differ_by_machine_and_reader_and_hide_the_machine_id() {
        let (one, two) = (
            Reader::default(),
            Reader {
                line: "other".into(),
                ..Reader::default()
            },
        );
        let machine = "0123456789abcdef0123456789abcdef";
        let id = client_id(machine, &one);
        assert_eq!(id, client_id(machine, &one));
        assert_ne!(id, client_id(machine, &two));
        assert_ne!(id, client_id("ffff", &one));
        assert!(!id.contains("0123456789abcdef"));
    }

    #[test]
    fn the_outbox_lies_in_the_state_directory_unless_it_is_named() {
        let mut problems = Problems::default();
        let plan = Outbox::default().resolve(Path::new("/state"), &mut problems);
        assert_eq!(plan.path, Path::new("/state/outbox.db"));
        assert_eq!(plan.max_bytes, 64 << 20);
        assert!(problems.is_empty());
        let odd = Outbox {
            path: Some("x.db".into()),
            commit_ms: 1001,
            max_mb: 0,
            max_age_h: 0,
            memory_events: 0,
        };
        odd.resolve(Path::new("/state"), &mut problems);
        assert_eq!(
            keys(&problems),
            [
                "outbox.path",
                "outbox.commit-ms",
                "outbox.max-mb",
                "outbox.max-age-h",
                "outbox.memory-events"
            ]
        );
    }
}
