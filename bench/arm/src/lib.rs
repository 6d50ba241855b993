//! The reader of Beltscan, by the names that benches know it by, and nothing else: no
//! decoders of pictures, no network, no database.

pub use beltscan_reader::{frame, geometry, qr};

pub mod camera;
