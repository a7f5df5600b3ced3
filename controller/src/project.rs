//! Projections: what is stored becomes what the data plane runs. Each node has one; it reads the API and writes nothing.
//!
//! Informers list and watch the objects; a pure [`state::State`] turns what they see into changes and holds back those
//! that say nothing new. At home no copy of the projection is saved: the API's store is a file of this process, its first
//! lists take milliseconds, and a second copy could only be older. A node of a cluster, whose API may be away when it
//! starts, is what a saved copy is for.

//! [`Observed`] tells how far the data plane has followed, for those who say that something is ready.

mod inform;
mod observed;
mod references;
mod refused;
pub mod state;

pub use inform::{Update, run};
pub use observed::{Observed, Observer, Serving, observe};
pub(crate) use references::{read_references, resolve_revision};
