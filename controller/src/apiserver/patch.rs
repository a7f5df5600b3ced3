//! Changing one object: strategic merge, field ownership and server-side apply. Merge patch and JSON patch come from a
//! library; the second one is bounded here. All of it is pure.

mod apply;
mod fields;
mod json;
mod merge_keys;
mod strategic;

#[cfg(test)]
mod tests;

pub use apply::Conflict;
pub(crate) use apply::{Force, Manager, same_but_for_time};
pub(crate) use json::{JsonPatchError, json};
pub(crate) use strategic::strategic;
