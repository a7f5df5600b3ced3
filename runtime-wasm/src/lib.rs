//! fnctl-runtime-wasm
