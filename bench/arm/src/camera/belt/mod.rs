//! What spoils a print, for the tests of print quality.

#[path = "../../../../../src/camera/belt/degrade.rs"]
pub mod degrade;

#[path = "../../../../../src/camera/belt/cylinder.rs"]
mod cylinder;
#[path = "../../../../../src/camera/belt/mix.rs"]
mod mix;
