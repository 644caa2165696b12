//! The public API of the crate against its oracle, on every instruction set of this CPU.

mod arrays;
mod common;
mod conv_properties;
mod conv_rows;
mod conv_same_bits;
mod conv_sizes;
mod conv_table;
mod conv_writes;
mod conversions;
mod fft;
mod instruction_sets;
mod pool_index;
mod pool_order;
mod pool_properties;
mod pool_rules;
mod pool_same_bits;
mod pool_sizes;
mod pool_table;
mod threads;
mod winograd;
