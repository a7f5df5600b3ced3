//! `fnctl invoke`: calls a function at its URL, and shows where the time went.

use crate::args::{Invoke, Scope};
use crate::failure::{Exit, Failure, code};
use crate::manifest::{self, kind_by_word};
use crate::output;
use crate::public;
use crate::target::Target;
use http::{HeaderName, HeaderValue, Request, Response};
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::str::FromStr as _;

pub(crate) async fn run(arguments: Invoke, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    let path = manifest::object(kind_by_word("ksvc")?, Some(&target.namespace), &arguments.name);
    let function = target.get(&path).await?;
    let Some(url) = function["status"]["url"].as_str() else {
        return Err(Failure::failed(code::NOT_READY, format!("function {:?} has no URL yet", arguments.name))
            .try_this(format!("fnctl describe ksvc {}", arguments.name)));
    };
    let response = public::send(request(&arguments, url)?).await?;
    let revision = function["status"]["latestReadyRevisionName"].clone();
    let failed = response.status().as_u16() >= 400;
    if target.form.is_json() {
        output::json(&described(&response, &revision))?;
    } else {
        say_where_the_time_went(&response, &revision);
        let mut out = anstream::stdout().lock();
        out.write_all(response.body())?;
        if !response.body().ends_with(b"\n") {
            writeln!(out)?;
        }
    }
    if failed { Err(Failure::quiet(Exit::Failed)) } else { Ok(()) }
}

fn request(arguments: &Invoke, url: &str) -> Result<Request<Vec<u8>>, Failure> {
    let body = match (&arguments.data, &arguments.file) {
        (Some(data), _) => Some(data.clone().into_bytes()),
        (None, Some(file)) => Some(
            std::fs::read(file)
                .map_err(|e| Failure::invalid(code::FILE, format!("cannot read {}", file.display())).because(&e))?,
        ),
        (None, None) => None,
    };
    let method = if body.is_some() || arguments.event { "POST" } else { "GET" };
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}/{}", url.trim_end_matches('/'), arguments.path.trim_start_matches('/')))
        .body(body.unwrap_or_default())
        .map_err(|e| Failure::invalid(code::INPUT, format!("{:?} is no path", arguments.path)).because(&e))?;
    if arguments.event {
        let id = uuid::Uuid::new_v4().to_string();
        let pairs =
            [("ce-specversion", "1.0"), ("ce-type", "dev.fnctl.invoke"), ("ce-source", "fnctl"), ("ce-id", &id)];
        for (name, value) in pairs {
            set_header(&mut request, name, value)?;
        }
    }
    if !request.body().is_empty() {
        let media_type =
            if serde_json::from_slice::<Value>(request.body()).is_ok() { "application/json" } else { "text/plain" };
        set_header(&mut request, "content-type", media_type)?;
    }
    for header in &arguments.header {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            Failure::invalid(code::INPUT, format!("--header {header:?} has no value: write NAME:VALUE"))
        })?;
        set_header(&mut request, name, value.trim())?;
    }
    Ok(request)
}

fn set_header(request: &mut Request<Vec<u8>>, name: &str, value: &str) -> Result<(), Failure> {
    let invalid = || Failure::invalid(code::INPUT, format!("{name}: {value} is no header"));
    let name = HeaderName::from_str(name).map_err(|_| invalid())?;
    let value = HeaderValue::from_str(value).map_err(|_| invalid())?;
    request.headers_mut().insert(name, value);
    Ok(())
}

/// Milliseconds of one part of `Server-Timing`.
pub(crate) fn timing(response: &Response<Vec<u8>>, part: &str) -> f64 {
    let header = response.headers().get("server-timing").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let entry = header.split(',').map(str::trim).find(|entry| entry.split(';').next() == Some(part));
    let duration = entry.and_then(|entry| entry.split(';').find_map(|field| field.trim().strip_prefix("dur=")));
    duration.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

fn described(response: &Response<Vec<u8>>, revision: &Value) -> Value {
    let headers: Map<String, Value> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
        .collect();
    json!({"status": response.status().as_u16(), "headers": headers, "body": String::from_utf8_lossy(response.body()),
        "timing": {"queueMs": timing(response, "queue"), "activationMs": timing(response, "activation"),
            "runMs": timing(response, "run")}, "revision": revision})
}

fn say_where_the_time_went(response: &Response<Vec<u8>>, revision: &Value) {
    let revision = revision.as_str().unwrap_or_default();
    output::say(format!(
        "{} from {revision}: queue {:.1} ms, activation {:.1} ms, run {:.1} ms",
        response.status(),
        timing(response, "queue"),
        timing(response, "activation"),
        timing(response, "run")
    ));
}
