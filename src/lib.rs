//! Beltscan: frames come in from the left, item events go out on the right.
//!
//! ```text
//!  camera ──► optics ──► qr ──► item ──► publish ──► MQTT, stdout, file
//!    └───────── pipeline: threads, queues, the frame budget ──────────┘
//!             service: systemd, signals, limits (reads snapshots)
//! ```
//!
//! The rooms, and what each may know, are told in `ARCHITECTURE.md`. What flows
//! back from right to left is plain values only: where to look next
//! ([`item::Hint`]) and what an operator asked for ([`command::Command`]).

pub mod camera;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod item;
pub mod limits;
pub mod pipeline;
pub mod publish;
pub mod service;
pub mod snapshot;

#[doc(inline)]
pub use beltscan_reader::{frame, geometry, ocr, optics, qr};
