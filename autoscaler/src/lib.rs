//! fnctl-autoscaler
