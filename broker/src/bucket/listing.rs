//! Pages of keys: prefix, delimiter and place to go on, as S3's ListObjectsV2.

use super::error::Error;
use super::index::{Meta, Reader};
use crate::state::StateError;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fnctl_config::limits::BUCKET_LIST_MAX;

/// Which keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Keys that begin with this.
    pub prefix: String,
    /// Keys that have this behind the prefix are rolled up to what is before it, and counted once; empty rolls up none.
    pub delimiter: String,
    /// Keys behind this one. Where it is a rolled-up prefix, keys behind all of its keys.
    pub after: String,
    /// At most this many keys and rolled-up prefixes, and never more than `limits::BUCKET_LIST_MAX`.
    pub limit: usize,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects in order of their keys' bytes.
    pub objects: Vec<(String, Meta)>,
    /// Rolled-up prefixes, in order.
    pub prefixes: Vec<String>,
    /// Where the next page goes on: its `after`. None at the end.
    pub next: Option<String>,
}

/// Makes an opaque token of the place where the next page goes on.
pub fn token(after: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(after)
}

/// Reads what [`token`] made.
pub fn parse_token(token: &str) -> Result<String, Error> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| Error::Token)?;
    String::from_utf8(bytes).map_err(|_| Error::Token)
}

/// Reads one page. Each rolled-up prefix is one step in the index, however many keys it has.
pub(super) fn page(reader: &Reader, bucket: &str, query: &ListQuery) -> Result<Page, Error> {
    let id = reader.bucket(bucket)?.id;
    let limit = query.limit.min(BUCKET_LIST_MAX);
    let mut page = Page::default();
    let mut last = None;
    let mut from = Some(begin(query));
    while let Some(place) = from.take() {
        for row in reader.objects_from(id, &place)? {
            let (key, meta) = row?;
            if !key.starts_with(&query.prefix) {
                return Ok(page);
            }
            if page.objects.len() + page.prefixes.len() >= limit {
                page.next = last;
                return Ok(page);
            }
            match rolled_up(&key, query) {
                Some(rolled) => {
                    last = Some(rolled.to_owned());
                    page.prefixes.push(rolled.to_owned());
                    from = behind_all(rolled);
                    break;
                }
                None => {
                    last = Some(key.clone());
                    page.objects.push((key, meta));
                }
            }
        }
    }
    Ok(page)
}

/// The keys of a page without anything of the objects.
pub(super) fn keys(reader: &Reader, bucket: &str, after: &str, limit: usize) -> Result<Vec<String>, Error> {
    let id = reader.bucket(bucket)?.id;
    let rows = reader.objects_from(id, &behind(after))?.take(limit);
    Ok(rows.map(|row| row.map(|(key, _)| key)).collect::<Result<_, StateError>>()?)
}

/// What the key is rolled up to.
fn rolled_up<'a>(key: &'a str, query: &ListQuery) -> Option<&'a str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(query.prefix.as_str())?;
    let end = rest.find(&query.delimiter)? + query.delimiter.len();
    Some(&key[..query.prefix.len() + end])
}

fn begin(query: &ListQuery) -> Vec<u8> {
    if query.after.as_str() < query.prefix.as_str() {
        return query.prefix.clone().into_bytes();
    }
    match rolled_up(&query.after, query).filter(|rolled| *rolled == query.after) {
        Some(rolled) => behind_all(rolled).unwrap_or_else(|| behind(rolled)),
        None => behind(&query.after),
    }
}

/// The least key greater than this one; the least of all after none.
fn behind(key: &str) -> Vec<u8> {
    let mut bytes = key.as_bytes().to_vec();
    if !bytes.is_empty() {
        bytes.push(0);
    }
    bytes
}

/// The least bytes greater than all keys that begin so. UTF-8 has no byte 0xff, so that there always are some.
fn behind_all(prefix: &str) -> Option<Vec<u8>> {
    let mut bytes = prefix.as_bytes().to_vec();
    let last = bytes.last_mut()?;
    *last = last.checked_add(1)?;
    Some(bytes)
}
