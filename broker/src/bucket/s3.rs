//! The S3 endpoint: the node's buckets for stock S3 clients, by path-style addresses and SigV4, in headers or presigned.
//!
//! Here are buckets, objects with ranges, conditions and metadata, copies, both listings, deletes of many, and multipart
//! uploads. All else is answered `NotImplemented`: versions, tags, ACLs, policies, notification configurations (a
//! BucketSource is one), copies as parts, server-side encryption, select. Anonymous requests are refused.

mod answer;
mod body;
mod copy;
mod credentials;
mod list;
mod objects;
mod promises;
mod serve;
mod service;
#[cfg(test)]
mod tests;
mod uploads;

pub use credentials::{Credentials, CredentialsError};
pub use serve::{Settings, serve};
