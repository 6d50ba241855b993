//! The log, on standard error: for people (`text`), for the journal (its
//! priorities, no time), or for machines (`json`, one object a line).
//!
//! It exists before the configuration is read, and follows it from then on, at
//! a reload too. Convention for the whole daemon: what codes say is personal
//! data and stands on the log at `debug` and below only.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::{OnceLock, PoisonError, RwLock};

use env_logger::fmt::Formatter;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::config;

/// The process's logger. What is behind it can be changed, unlike the logger
/// itself.
struct Switch(RwLock<env_logger::Logger>);

static SWITCH: OnceLock<Switch> = OnceLock::new();

/// Starts the log as the configuration's defaults have it. Later calls change
/// nothing.
pub fn early() {
    apply(&config::Log::default());
}

/// From here on the log is as the configuration has it; starts it if need be.
pub fn apply(config: &config::Log) {
    let logger = build(config);
    let most = logger.filter();
    match SWITCH.get() {
        Some(switch) => *switch.0.write().unwrap_or_else(PoisonError::into_inner) = logger,
        None => {
            let switch = SWITCH.get_or_init(|| Switch(RwLock::new(logger)));
            // Another logger may be there already, in a test or a program
            // that uses this library: then that one stays.
            if log::set_logger(switch).is_err() {
                return;
            }
        }
    }
    log::set_max_level(most);
}

fn build(config: &config::Log) -> env_logger::Logger {
    let format = match config.format {
        config::LogFormat::Auto if goes_to_journal() => config::LogFormat::Journal,
        config::LogFormat::Auto => config::LogFormat::Text,
        given => given,
    };
    let mut builder = env_logger::Builder::new();
    // Libraries are as loud as we are only when the list names them.
    builder.filter(None, LevelFilter::Info);
    builder.parse_filters(&config.level.replace(' ', ""));
    builder.format(match format {
        config::LogFormat::Journal => journal,
        config::LogFormat::Json => json,
        config::LogFormat::Text | config::LogFormat::Auto => text,
    });
    builder.build()
}

/// Whether standard error is the stream that systemd connected to the journal.
/// The variable alone says nothing: programs in a terminal inherit it too.
fn goes_to_journal() -> bool {
    let named = std::env::var("JOURNAL_STREAM").ok();
    let actual = std::fs::metadata("/proc/self/fd/2")
        .map(|stderr| format!("{}:{}", stderr.dev(), stderr.ino()))
        .ok();
    named.is_some() && named == actual
}

impl Log for Switch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .log(record);
    }

    fn flush(&self) {}
}

/// `2026-03-01T12:00:00.123Z WARN  beltscan::camera: the message`
fn text(to: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let style = to.default_level_style(record.level());
    let (level, target, time) = (record.level(), record.target(), now());
    for line in clean(record).lines() {
        writeln!(to, "{time} {style}{level:<5}{style:#} {target}: {line}")?;
    }
    Ok(())
}

/// `<4>beltscan::camera: the message` (sd-daemon(3))
fn journal(to: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let priority = match record.level() {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    let target = record.target();
    for line in clean(record).lines() {
        writeln!(to, "<{priority}>{target}: {line}")?;
    }
    Ok(())
}

/// `{"time":"…","level":"warn","target":"beltscan::camera","message":"…"}`
fn json(to: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let line = serde_json::json!({
        "time": now(),
        "level": record.level().as_str().to_ascii_lowercase(),
        "target": record.target(),
        "message": record.args().to_string(),
    });
    writeln!(to, "{line}")
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// The message without control characters but line breaks: what stood on a
/// label must not steer a terminal. Line breaks begin lines of their own with
/// the same beginning, so nothing can pretend to be another message.
fn clean(record: &Record<'_>) -> String {
    let mut clean = String::new();
    for c in record.args().to_string().chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const ROLE: &str = "BELTSCAN_TEST_LOG";

    /// Not a test of its own: what the child processes of the others run.
    #[test]
    #[ignore = "run in a child process by the other tests of this file"]
    fn child() {
        let Ok(role) = std::env::var(ROLE) else {
            return;
        };
        early();
        log::debug!("not yet");
        let format = match role.as_str() {
            "json" => config::LogFormat::Json,
            "text" => config::LogFormat::Text,
            "journal" => config::LogFormat::Journal,
            _ => config::LogFormat::Auto,
        };
        let mut config = config::Log {
            level: "debug".into(),
            format,
        };
        apply(&config);
        log::error!("first \"quoted\" \u{1b}[31m\nsecond");
        log::debug!("shown");
        config.level = "off, beltscan=warn".into();
        apply(&config);
        log::info!("hidden again");
        log::warn!("last");
        log::error!(target: "elsewhere", "hidden as well");
    }

    /// The log of a child process, without what its test harness says.
    fn log_of(role: &str, command: &mut Command) -> Vec<String> {
        let output = command
            .env(ROLE, role)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines: Vec<_> = String::from_utf8(output.stderr)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        assert!(!lines.is_empty());
        lines
    }

    fn this_program() -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "service::log::tests::child"])
            .arg("--nocapture")
            .env_remove("JOURNAL_STREAM")
            .env_remove("RUST_LOG");
        command
    }

    #[test]
    fn for_the_journal_each_line_has_its_priority_and_no_time() {
        assert_eq!(
            log_of("journal", &mut this_program()),
            [
                "<3>beltscan::service::log::tests: first \"quoted\" \\u{1b}[31m",
                "<3>beltscan::service::log::tests: second",
                "<7>beltscan::service::log::tests: shown",
                "<4>beltscan::service::log::tests: last",
            ]
        );
    }

    #[test]
    fn for_machines_each_message_is_one_object() {
        let lines = log_of("json", &mut this_program());
        let objects: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let parts: Vec<_> = objects
            .iter()
            .map(|o| (o["level"].as_str().unwrap(), o["message"].as_str().unwrap()))
            .collect();
        assert_eq!(
            parts,
            [
                ("error", "first \"quoted\" \u{1b}[31m\nsecond"),
                ("debug", "shown"),
                ("warn", "last"),
            ]
        );
        for object in &objects {
            let time: jiff::Timestamp = object["time"].as_str().unwrap().parse().unwrap();
            assert!(time > jiff::Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn for_people_each_line_has_time_and_level() {
        let lines = log_of("text", &mut this_program());
        assert_eq!(lines.len(), 4);
        for (line, rest) in lines.iter().zip([
            "ERROR beltscan::service::log::tests: first",
            "ERROR beltscan::service::log::tests: second",
            "DEBUG beltscan::service::log::tests: shown",
            "WARN  beltscan::service::log::tests: last",
        ]) {
            let (time, message) = line.split_once(' ').unwrap();
            assert!(time.parse::<jiff::Timestamp>().is_ok(), "{line}");
            assert!(message.starts_with(rest), "{line}");
        }
    }

    #[test]
    fn the_journal_is_recognised_by_its_stream_not_by_the_variable_alone() {
        let lines = log_of("auto", this_program().env("JOURNAL_STREAM", "9:12345"));
        assert!(lines.iter().all(|line| !line.starts_with('<')), "{lines:?}");
        // The shell learns the number of its standard error as systemd would
        // tell it.
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg("JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"")
            .arg("sh")
            .arg(this_program().get_program())
            .args(this_program().get_args());
        let lines = log_of("auto", &mut shell);
        assert!(lines.iter().all(|line| line.starts_with('<')), "{lines:?}");
    }
}
