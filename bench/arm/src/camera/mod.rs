//! As much of the product's cameras as the benches take.

pub mod picture;
