//! From three finder patterns to a grid, from a grid to modules.
//!
//! [`locate`](Locator) lays the grid: number of modules by the timing patterns,
//! perspective by the finder patterns and the alignment patterns. [`Samples`]
//! takes the grey value of each module and makes confidences of them.

mod alignment;
mod around;
mod bend;
mod bow;
mod corner;
mod cylinder;
mod equaliser;
mod fit;
mod locate;
mod mesh;
mod refine;
mod sample;
mod settle;
mod solve;
mod strip;
mod timing;
mod trail;
mod veil;

pub use bend::Bender;
pub use corner::{Corner, Timing};
pub use equaliser::{Equaliser, untangling};
pub use fit::Fit;
pub use locate::{Grid, Locator};
pub use mesh::Mesh;
pub use refine::refine;
pub use sample::{Samples, Statistics};
pub use settle::{Freedom, Settler};
