//! As much of the product's cameras as the readers' tests and benches take.

#[cfg(test)]
pub mod belt;
pub mod picture;
