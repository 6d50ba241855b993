//! The rooms of Beltscan that reading codes takes, compiled from its own sources
//! with their unit tests, and nothing else: no camera, no network, no database.
//! What they need of others is here in small.

#[path = "../../../src/frame.rs"]
pub mod frame;
#[path = "../../../src/geometry/mod.rs"]
pub mod geometry;
#[path = "../../../src/optics/mod.rs"]
pub mod optics;
#[path = "../../../src/qr/mod.rs"]
pub mod qr;

pub mod camera;
