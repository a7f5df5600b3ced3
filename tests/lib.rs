//! The behaviour of the whole, and the rules of the repository: see `it/main.rs`.
