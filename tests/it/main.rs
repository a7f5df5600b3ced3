//! One integration binary. The rules of the repository first, then the behaviour of the real `fnctl` binary.

mod answers;
mod bad_input;
mod buckets;
mod commands;
mod contract;
mod eventing;
mod harness;
mod http;
mod key_values;
mod outside;
mod ready;
mod repository;
mod serving;
mod traffic;
mod xray;
