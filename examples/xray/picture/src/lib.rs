//! Chest pictures: decode, score, draw the result, anonymise; and synthetic films to try it with.
//!
//! Demonstration, not for clinical use. Everything here is a function of its arguments: no file, no clock, no network.

#![forbid(unsafe_code)]

pub mod anonymise;
pub mod decode;
pub mod dicom;
pub mod draw;
mod grid;
pub mod keyed;
mod lungs;
pub mod names;
pub mod phantom;
pub mod picture;
mod random;
mod resample;
pub mod rules;
pub mod scorer;
mod text;
pub mod verdict;

/// Stands on every picture and in every event that this example makes.
pub const NOTICE: &str = "demonstration, not for clinical use";
