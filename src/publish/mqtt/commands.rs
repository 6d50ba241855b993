//! Commands from `cmd/<verb>`: what is taken, and what is refused.
//!
//! The bytes come from anybody who may publish to the broker. A body is small, is
//! JSON with a `request_id`, and has no field that is not known. A retained command
//! would be obeyed again at every connection, and one that comes twice (QoS 1) was
//! meant once: both are refused.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::command::{Command, Reply, Request};
use crate::publish::desk::Notice;
use crate::publish::notice;

/// Largest body of a command.
const LARGEST: usize = 4096;

/// Longest `request_id` and longest key.
const LONGEST: usize = 64;

/// Request ids that are remembered.
const REMEMBERED: usize = 512;

/// Commands that may wait for their reply.
const OPEN: usize = 8;

/// A reply that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The body of a command.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    request_id: String,
    key: Option<String>,
    value: Option<serde_json::Value>,
}

/// A command that is not obeyed.
#[derive(Debug, PartialEq)]
struct Refusal {
    request_id: Option<String>,
    detail: String,
}

/// A command whose reply is awaited.
struct Open {
    request_id: String,
    verb: String,
    reply: Receiver<Reply>,
    since: Instant,
}

/// Takes commands, remembers their ids, and brings the replies back.
pub(super) struct Commands {
    requests: SyncSender<Request>,
    seen: VecDeque<String>,
    open: Vec<Open>,
}

impl Commands {
    pub(super) fn new(requests: SyncSender<Request>) -> Self {
        Commands {
            requests,
            seen: VecDeque::new(),
            open: Vec::new(),
        }
    }

    /// Whether replies are awaited.
    pub(super) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Deals with a message on `cmd/<verb>`. Returns the reply, if there is one
    /// already.
    pub(super) fn take(&mut self, verb: &str, payload: &[u8], retained: bool) -> Option<Notice> {
        let (request_id, command) = match self.judge(verb, payload, retained) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                log::warn!(
                    "a command '{}' was refused: {}",
                    known(verb),
                    refusal.detail
                );
                let id = refusal.request_id.as_deref();
                return Some(ack(id, known(verb), false, &refusal.detail));
            }
        };
        let (reply_to, reply) = sync_channel(1);
        let request = Request {
            command,
            request_id: Some(request_id.clone()),
            reply: reply_to,
        };
        match self.requests.try_send(request) {
            Ok(()) => {
                self.open.push(Open {
                    request_id,
                    verb: verb.to_owned(),
                    reply,
                    since: Instant::now(),
                });
                None
            }
            Err(TrySendError::Full(_)) => Some(ack(
                Some(&request_id),
                verb,
                false,
                "the reader is busy with other commands: try again with another request_id",
            )),
            Err(TrySendError::Disconnected(_)) => Some(ack(
                Some(&request_id),
                verb,
                false,
                "the reader is stopping",
            )),
        }
    }

    /// Replies that have come since, and those that will not come any more.
    pub(super) fn replies(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        self.open.retain(|open| {
            let (ok, detail) = match open.reply.try_recv() {
                Ok(reply) => (reply.ok, reply.detail),
                Err(TryRecvError::Disconnected) => (false, "the command was dropped".to_owned()),
                Err(TryRecvError::Empty) if open.since.elapsed() < PATIENCE => return true,
                Err(TryRecvError::Empty) => (
                    false,
                    format!(
                        "no reply within {} s; it may still be done",
                        PATIENCE.as_secs()
                    ),
                ),
            };
            notices.push(ack(Some(&open.request_id), &open.verb, ok, &detail));
            false
        });
        notices
    }

    fn judge(
        &mut self,
        verb: &str,
        payload: &[u8],
        retained: bool,
    ) -> Result<(String, Command), Refusal> {
        let refuse = |request_id: Option<&str>, detail: String| {
            Err(Refusal {
                request_id: request_id.map(str::to_owned),
                detail,
            })
        };
        if payload.len() > LARGEST {
            return refuse(None, format!("the body is larger than {LARGEST} bytes"));
        }
        let body: Body = match serde_json::from_slice(payload) {
            Ok(body) => body,
            Err(error) => {
                let detail = format!(
                    "the body must be JSON as {{\"request_id\":\"…\"}}, for 'set' with key and \
                     value: {error}"
                );
                return refuse(None, detail);
            }
        };
        let id = body.request_id;
        if !plain(&id) {
            let detail = format!("request_id must be 1 to {LONGEST} printable ASCII characters");
            return refuse(None, detail);
        }
        if retained {
            let detail = "retained commands are not obeyed: publish without retain, and clear the \
                          topic with an empty retained message";
            return refuse(Some(&id), detail.into());
        }
        let command = match (verb, body.key, body.value) {
            ("trigger", None, None) => Command::Trigger,
            ("snapshot", None, None) => Command::Snapshot,
            ("reload", None, None) => Command::Reload,
            ("promote", None, None) => Command::Promote,
            ("drop-canary", None, None) => Command::DropCanary,
            ("set", Some(key), Some(value)) if plain(&key) => Command::Set { key, value },
            ("set", ..) => return refuse(Some(&id), "'set' needs key and value".into()),
            ("trigger" | "snapshot" | "reload" | "promote" | "drop-canary", ..) => {
                return refuse(Some(&id), format!("'{verb}' takes neither key nor value"));
            }
            _ => {
                let detail = "there is no such command: trigger, snapshot, reload, set, promote, \
                              drop-canary"
                    .to_owned();
                return refuse(Some(&id), detail);
            }
        };
        if self.seen.contains(&id) {
            return refuse(Some(&id), "this request_id was used before".into());
        }
        if self.open.len() >= OPEN {
            return refuse(Some(&id), format!("{OPEN} commands wait already"));
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(id.clone());
        Ok((id, command))
    }
}

/// The verb as far as it may be repeated: the topic is somebody else's text.
fn known(verb: &str) -> &str {
    match verb {
        "trigger" | "snapshot" | "reload" | "set" | "promote" | "drop-canary" => verb,
        _ => "unknown",
    }
}

fn plain(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

fn ack(request_id: Option<&str>, verb: &str, ok: bool, detail: &str) -> Notice {
    Notice {
        leaf: "ack",
        body: notice::ack(request_id, verb, ok, detail),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn reply(notice: Option<Notice>) -> serde_json::Value {
        let notice = notice.expect("an answer at once");
        assert_eq!(notice.leaf, "ack");
        serde_json::from_slice(&notice.body).expect("JSON")
    }

    #[test]
    fn a_command_reaches_the_pipeline_once_and_its_reply_comes_back() {
        let (to, requests) = mpsc::sync_channel(4);
        let mut commands = Commands::new(to);
        let body = br#"{"request_id":"a1"}"#;
        assert_eq!(commands.take("trigger", body, false), None);
        let request = requests.try_recv().expect("it was passed on");
        assert_eq!(request.command, Command::Trigger);
        assert_eq!(request.request_id.as_deref(), Some("a1"));
        assert!(commands.replies().is_empty() && commands.has_open());

        let again = reply(commands.take("trigger", body, false));
        assert_eq!(
            (&again["ok"], &again["request_id"]),
            (&false.into(), &"a1".into())
        );
        assert!(requests.try_recv().is_err(), "not obeyed a second time");

        request
            .reply
            .send(Reply {
                ok: true,
                detail: "window open".into(),
            })
            .expect("awaited");
        let replies = commands.replies();
        assert_eq!(replies.len(), 1);
        let said = reply(replies.into_iter().next());
        assert_eq!(
            (&said["ok"], &said["verb"]),
            (&true.into(), &"trigger".into())
        );
        assert!(!commands.has_open());
    }

    #[test]
    fn what_is_refused() {
        let (to, requests) = mpsc::sync_channel(1);
        let mut commands = Commands::new(to);
        let long = format!(r#"{{"request_id":"{}"}}"#, "x".repeat(LARGEST));
        let cases: [(&str, &[u8], bool, &str); 9] = [
            ("trigger", br#"{"request_id":"r"}"#, true, "retained"),
            ("trigger", b"", false, "must be JSON"),
            ("trigger", b"\xff\xfe", false, "must be JSON"),
            (
                "trigger",
                br#"{"request_id":"b","x":1}"#,
                false,
                "unknown field",
            ),
            (
                "trigger",
                br#"{"request_id":""}"#,
                false,
                "request_id must be",
            ),
            (
                "trigger",
                br#"{"request_id":"c","key":"k"}"#,
                false,
                "neither key",
            ),
            (
                "set",
                br#"{"request_id":"d","key":"k"}"#,
                false,
                "needs key and value",
            ),
            ("rm -rf", br#"{"request_id":"e"}"#, false, "no such command"),
            ("trigger", long.as_bytes(), false, "larger than"),
        ];
        for (verb, payload, retained, why) in cases {
            let said = reply(commands.take(verb, payload, retained));
            let detail = said["detail"].as_str().expect("text");
            assert_eq!(said["ok"], false);
            assert!(detail.contains(why), "{detail} should say {why}");
        }
        assert!(requests.try_recv().is_err());
    }

    #[test]
    fn a_busy_reader_says_so_and_memory_stays_bounded() {
        let (to, _requests) = mpsc::sync_channel(1);
        let mut commands = Commands::new(to);
        for number in 0..2000 {
            let body = format!(r#"{{"request_id":"{number}"}}"#);
            commands.take("snapshot", body.as_bytes(), false);
        }
        assert_eq!(commands.seen.len(), REMEMBERED);
        assert_eq!(commands.open.len(), 1);
    }
}
