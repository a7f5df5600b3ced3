//! fnctl-controller
