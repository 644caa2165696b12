//! Pools: [`max`], [`avg`] and [`lp`] say how a window becomes one value; `slide` walks the windows of nearly every pool, `planes`
//! and `rows` the others; beside them the maximum with its index, its inverse [`unpool`], minima and what rules other than torch's
//! ask of outputs in `dialect`, and the sliding blocks of [`unfold`].

mod avg;
mod axis;
mod chunks;
mod dialect;
mod input;
mod join;
mod lp;
mod max;
mod max_index;
mod order;
mod pairs;
mod pick;
mod places;
mod planes;
mod reduction;
mod rows;
mod runs;
mod slide;
mod terms;
mod tiling;
mod unfold;
mod unpool;

pub use avg::Average;
pub use dialect::{Extremum, fill_empty, rebase, run_extremum, run_extremum_with_indices};
pub use lp::{Extreme, Power, PowerSum, magnitude};
pub use max::Max;
pub use max_index::run_with_indices;
pub use reduction::{Converted, Reduction, run, run_converted};
pub use unfold::{fold, unfold};
pub use unpool::{Places, unpool};
