//! Says how many instances of a revision there should be, and why.
//!
//! The rule is Knative's pod autoscaler. Each second the requests in flight (or per second) of a revision go into two
//! [`window`]s, a long one and a short one. Every two seconds, and at once when a request finds zero, [`decide::decide`]
//! divides the averages by what one instance should carry, limits how fast the number may change, and keeps the number
//! up while the short window says that a burst is on (panic). [`bounds::bound`] then holds the number between min-scale
//! and max-scale and lets the last instance go.
//!
//! An example: 50 requests in flight on average, 10 for each instance, 1 ready. 5 are needed; 5 is at least twice 1, so
//! this is panic, and for 60 s the number does not fall below 5.
//!
//! `window`, `delay`, `policy`, `state`, `decide`, `reason`, `bounds`, `history`, `fleet` and `simulate` do no I/O and
//! read no clock: time is a `Duration` since an origin that the caller chose once. `port` is what a home provides;
//! `run` is the shell that ticks.

pub mod bounds;
pub mod decide;
pub mod delay;
pub mod fleet;
pub mod history;
pub mod policy;
pub mod port;
pub mod reason;
pub mod run;
pub mod simulate;
pub mod state;
pub mod window;
