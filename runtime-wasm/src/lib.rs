//! Functions as WebAssembly components, run inside this process: the activator's provider port on wasmtime.
//!
//! A component comes into the node's artifact store ([`artifact`], [`registry`]), is compiled once by a child process
//! ([`compile`]) and checked against what its revision was granted ([`prepare`]). Above zero a revision holds the mapped
//! code; each call gets a fresh instance (or, where asked for, an idle one) and runs in the task of its connection.
//!
//! Nothing here decides how many calls are admitted (the activator), reads an API object (projections) or knows what a
//! bucket is made of (the `Blobs` port).

mod answer;
pub mod artifact;
mod call;
pub mod capability;
pub mod compile;
mod engine;
pub mod heavy;
mod instances;
mod linker;
pub mod logs;
mod node;
pub mod policy;
mod precheck;
pub mod prepare;
pub mod registry;
mod runtime;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod ticker;

pub use answer::AnswerError;
pub use engine::{Cleaning, Engine, EngineError, Usage};
pub use precheck::{Contents, PrecheckError, precheck};
pub use runtime::{OpenError, Options, Runtime};
