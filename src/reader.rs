//! The rooms that a frame goes through: what is in it, and what it says.
//!
//! ```text
//!  frame ──► optics ──► qr ───► codes
//!               └─────► ocr ──► lines of text
//! ```
//!
//! A package of its own: it is compiled for speed where the daemon around it is
//! compiled for size, it can be tried on another processor in a minute, and it
//! cannot know of cameras, items or the network.

pub mod frame;
pub mod geometry;
pub mod ocr;
pub mod optics;
pub mod qr;

/// The drawn codes of the synthetic belt, which the unit tests degrade.
#[cfg(test)]
#[expect(dead_code, reason = "the daemon's tests take what these do not")]
mod camera {
    pub mod belt {
        mod cylinder;
        pub mod degrade;
        mod mix;
    }
}
