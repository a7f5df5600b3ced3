//! A change of a bucket as AWS S3 tells it, version 2.1 of its record; what the change log keeps.

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The region that buckets of a node are in; what S3 clients use where nobody tells them another.
pub const REGION: &str = "us-east-1";

/// All that an HTML form encodes, save `/`, as AWS does; a space becomes `+` afterwards.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/').remove(b' ');

/// Who asked for a change, and in which request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Who: an access key, or the name of a function.
    pub principal: String,
    /// From where: an IP address; empty inside of the node.
    pub address: String,
    /// `x-amz-request-id`: 16 upper-case hex digits.
    pub request_id: String,
    /// `x-amz-id-2`: 32 hex digits.
    pub host_id: String,
    /// Which object of the request, where one request touches several; the request's id alone is then not unique.
    pub part: Option<u32>,
}

impl Origin {
    /// A request of its own.
    pub fn new(principal: impl Into<String>, address: impl Into<String>) -> Self {
        let (high, _) = Uuid::new_v4().as_u64_pair();
        Self {
            principal: principal.into(),
            address: address.into(),
            request_id: format!("{high:016X}"),
            host_id: Uuid::new_v4().simple().to_string(),
            part: None,
        }
    }

    /// The same request, at its object number `part`.
    pub fn part(&self, part: u32) -> Self {
        Self { part: Some(part), ..self.clone() }
    }
}

/// What happened, by S3's name without its `s3:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A PUT, of a client or a guest.
    #[serde(rename = "ObjectCreated:Put")]
    Put,
    /// A server-side copy.
    #[serde(rename = "ObjectCreated:Copy")]
    Copy,
    /// The last step of a multipart upload.
    #[serde(rename = "ObjectCreated:CompleteMultipartUpload")]
    CompleteMultipartUpload,
    /// A delete of an object that was there.
    #[serde(rename = "ObjectRemoved:Delete")]
    Delete,
}

impl Action {
    /// S3's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
        }
    }
}

/// One change, as the log keeps it. From it the published record is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happened.
    pub action: Action,
    /// When, to the millisecond.
    pub time: Timestamp,
    /// The bucket.
    pub bucket: String,
    /// The key, as it is.
    pub key: String,
    /// Bytes of the object; none where it is gone.
    pub size: Option<u64>,
    /// Its ETag; none where it is gone.
    pub etag: Option<String>,
    /// Greater for each later change of a node.
    pub sequencer: u64,
    /// Who asked.
    pub origin: Origin,
}

impl Change {
    pub(super) fn encode(&self) -> Bytes {
        // A struct of texts and numbers always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads what the log keeps.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The record as AWS writes it. `configuration` is the notification's name: that of the source.
    pub fn record(&self, configuration: &str) -> Record {
        Record {
            event_version: "2.1",
            event_source: "aws:s3",
            aws_region: REGION,
            event_time: self.time.to_string(),
            event_name: self.action.name(),
            user_identity: Principal { principal_id: self.origin.principal.clone() },
            request_parameters: Parameters { source_ip_address: self.origin.address.clone() },
            response_elements: Elements {
                request_id: self.origin.request_id.clone(),
                host_id: self.origin.host_id.clone(),
            },
            s3: S3 {
                s3_schema_version: "1.0",
                configuration_id: configuration.to_owned(),
                bucket: Bucket {
                    name: self.bucket.clone(),
                    owner_identity: Principal { principal_id: "fnctl".to_owned() },
                    arn: format!("arn:aws:s3:::{}", self.bucket),
                },
                object: Object {
                    key: encode_key(&self.key),
                    size: self.size,
                    e_tag: self.etag.clone(),
                    sequencer: format!("{:016X}", self.sequencer),
                },
            },
        }
    }
}

/// A key as records write it: encoded as a form does.
pub fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, FORM).to_string().replace(' ', "+")
}

/// The key that [`encode_key`] made this of.
pub fn decode_key(encoded: &str) -> String {
    percent_decode_str(&encoded.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// AWS's record of one change.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    event_version: &'static str,
    event_source: &'static str,
    aws_region: &'static str,
    event_time: String,
    event_name: &'static str,
    user_identity: Principal,
    request_parameters: Parameters,
    response_elements: Elements,
    s3: S3,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Principal {
    principal_id: String,
}

#[derive(Clone, Debug, Serialize)]
struct Parameters {
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: String,
}

#[derive(Clone, Debug, Serialize)]
struct Elements {
    #[serde(rename = "x-amz-request-id")]
    request_id: String,
    #[serde(rename = "x-amz-id-2")]
    host_id: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct S3 {
    s3_schema_version: &'static str,
    configuration_id: String,
    bucket: Bucket,
    object: Object,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    name: String,
    owner_identity: Principal,
    arn: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<String>,
    sequencer: String,
}
