//! One integration binary. The rules of the repository first, then the behaviour of the real `fnctl` binary.

mod buckets;
mod bad_input;
mod eventing;
mod harness;
mod http;
mod repository;
mod serving;
mod traffic;
mod xray;
