//! Changing one object: strategic merge, field ownership and server-side apply. Merge patch and JSON patch come from a
//! library. All of it is pure.

mod apply;
mod fields;
mod merge_keys;
mod strategic;

#[cfg(test)]
mod tests;

pub use apply::Conflict;
pub(crate) use apply::{Force, Manager, same_but_for_time};
pub(crate) use strategic::strategic;
