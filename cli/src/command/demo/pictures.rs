//! What the demo puts into the bucket: synthetic films that the example's own function draws, or files of a folder.

use crate::failure::{Failure, code};
use crate::public;
use fnctl_broker::bucket::{Attributes, Buckets, NewObject, Origin};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::Request;
use std::fmt;
use std::path::{Path, PathBuf};

/// Films drawn where nothing is said.
pub(in crate::command) const COUNT: usize = 100;
/// Most films of one demo.
const COUNT_MAX: usize = 10_000;
/// The first film's seed: the films of the example's own table.
const SEED: usize = 20_000;
/// Width and height of a film, in pixels.
const SIZE: usize = 512;
/// Pictures on their way at once.
pub(in crate::command) const AT_ONCE: usize = 4;
/// Where they go.
pub(in crate::command) const BUCKET: &str = "xray-in";

/// The demo's pictures.
pub(super) enum Pictures {
    Phantoms(usize),
    Files(Vec<PathBuf>),
}

impl Pictures {
    /// A number, or a folder of files.
    pub(super) fn find(written: Option<&str>) -> Result<Self, Failure> {
        let Some(written) = written else { return Ok(Self::Phantoms(COUNT)) };
        if let Ok(count) = written.parse::<usize>() {
            return match count {
                1..=COUNT_MAX => Ok(Self::Phantoms(count)),
                _ => {
                    Err(Failure::invalid(code::INPUT, format!("--pictures {count} is not possible: 1 to {COUNT_MAX}")))
                }
            };
        }
        let unreadable = |e: std::io::Error| {
            Failure::invalid(code::FILE, format!("--pictures {written:?} is neither a number nor a folder")).because(&e)
        };
        let entries =
            std::fs::read_dir(written).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        match files.len() {
            1..=COUNT_MAX => Ok(Self::Files(files)),
            count => Err(Failure::invalid(
                code::INPUT,
                format!("{written} holds {count} files: 1 to {COUNT_MAX} are possible"),
            )),
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Phantoms(count) => *count,
            Self::Files(files) => files.len(),
        }
    }
}

impl fmt::Display for Pictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phantoms(count) => write!(f, "{count} synthetic films, drawn by the function xray-phantom,"),
            Self::Files(files) => write!(f, "{} files", files.len()),
        }
    }
}

/// Puts them all, a few at once.
pub(super) async fn put_all(pictures: &Pictures, url: &str, buckets: &Buckets) -> Result<(), Failure> {
    let numbers = stream::iter((0..pictures.count()).map(Ok::<_, Failure>));
    numbers.try_for_each_concurrent(AT_ONCE, |number| put(pictures, number, url, buckets)).await
}

async fn put(pictures: &Pictures, number: usize, url: &str, buckets: &Buckets) -> Result<(), Failure> {
    let (key, bytes) = match pictures {
        Pictures::Phantoms(_) => (format!("ward-1/film {number:04}.dcm"), phantom(url, number).await?),
        Pictures::Files(files) => (key_of(&files[number]), tokio::fs::read(&files[number]).await?),
    };
    let mut object = NewObject::new(BUCKET, key, Origin::new("demo", ""));
    object.attributes = Attributes { content_type: Some("application/dicom".to_owned()), ..Attributes::default() };
    let body = stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from(bytes))]);
    let put = buckets.put(object, body.boxed()).await;
    put.map(drop).map_err(|e| Failure::failed(code::OTHER, "a picture could not be put into the bucket").because(&e))
}

fn key_of(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The synthetic film of that number, drawn by the function of the node at `url`.
pub(in crate::command) async fn phantom(url: &str, number: usize) -> Result<Vec<u8>, Failure> {
    let seed = SEED + number;
    let path =
        format!("{url}/-/function/default/xray-phantom/phantom?seed={seed}&index={number}&size={SIZE}&format=dicom");
    let request = Request::get(&path).body(Vec::new());
    let request = request.map_err(|e| Failure::failed(code::OTHER, format!("{path:?} is no URL")).because(&e))?;
    let response = public::send(request).await?;
    if response.status().is_success() {
        return Ok(response.into_body());
    }
    let said = String::from_utf8_lossy(response.body()).into_owned();
    Err(Failure::failed(code::OTHER, format!("the function xray-phantom answered {}", response.status())).detail(said))
}
