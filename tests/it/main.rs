//! One integration binary. The rules of the repository first, then the behaviour of the real `fnctl` binary.

mod buckets;
mod eventing;
mod harness;
mod repository;
mod serving;
mod xray;
