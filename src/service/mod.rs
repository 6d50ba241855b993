//! Being a good service: the log, the notify protocol, the watchdog, signals, memory,
//! clocks, and how the daemon feels ([`Monitor`]). Everything here reads
//! snapshots; nothing here can hold a stage up.

mod health;
pub mod heap;
pub mod log;
mod notify;
pub mod signals;
mod watchdog;

pub use health::{Health, Monitor, Stats};
pub use notify::Notifier;
pub use watchdog::Watchdog;
