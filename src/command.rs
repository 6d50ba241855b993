//! What an operator may ask of the running daemon, whoever carries it: MQTT now,
//! the page later. Plain values; the pipeline acts on them and answers.

use std::sync::mpsc::SyncSender;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Open a trigger window now.
    Trigger,
    /// Save the next frame.
    Snapshot,
    /// Read the configuration file again.
    Reload,
    /// Let the canary models for text read from now on.
    Promote,
    /// Take the canary models for text away.
    DropCanary,
    /// Change one tuning key (a whitelist, see the configuration), as TOML would
    /// write key and value.
    Set {
        /// Dotted name, as `camera.exposure-us`.
        key: String,
        /// Its value in JSON.
        value: serde_json::Value,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Whether it was done.
    pub ok: bool,
    /// What was done, or why it was not and what would help.
    pub detail: String,
}

/// A command with the way back for its reply.
pub struct Request {
    /// What is asked.
    pub command: Command,
    /// The asker's own id for it, where there is one; a trigger window carries it
    /// into its event.
    pub request_id: Option<String>,
    /// Takes exactly one reply; a dropped receiver is no error.
    pub reply: SyncSender<Reply>,
}
