//! What a request asks for: its path, query and headers, read once.

use super::authorize::Verb;
use super::failure::Failure;
use super::resource::Resource;
use super::store::Key;
use bytes::Bytes;
use http::{HeaderMap, Method, header, request::Parts};
use std::collections::HashMap;

/// How an event is spelled: the core group's and `events.k8s.io`'s events are one resource with two spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As stored: `v1`.
    Core,
    /// `events.k8s.io/v1`.
    EventsV1,
}

/// What of an object is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The object itself.
    Object,
    /// Its status subresource.
    Status,
}

/// One request about objects.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) resource: Resource,
    pub(crate) spelling: Spelling,
    /// The namespace of the path; nothing for cluster kinds, and for lists over all namespaces.
    pub(crate) namespace: Option<String>,
    /// The name of the path; nothing for a collection.
    pub(crate) name: Option<String>,
    pub(crate) part: Part,
    pub(crate) verb: Verb,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Refuses a dry run that is misspelt: who asked for one does not want a real change.
pub(crate) fn check_dry_run(asked: &str) -> Result<(), Failure> {
    check_option("dryRun", asked, &["All"])
}

/// Refuses a value of an option that is not known, so that a slip of the pen never counts as the default.
fn check_option(name: &str, asked: &str, supported: &[&str]) -> Result<(), Failure> {
    if asked.is_empty() || supported.contains(&asked) {
        return Ok(());
    }
    let supported = supported.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ");
    Err(Failure::invalid_option(format!("{name}: Unsupported value: {asked:?}: supported values: {supported}")))
}

impl Request {
    /// Reads the head of a request about objects; the body is put in later.
    pub(crate) fn read(head: &Parts) -> Result<Self, Failure> {
        let segments = segments(head.uri.path());
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(Failure::no_such_path()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let (plural, name, part) = match rest {
            [plural] => (*plural, None, Part::Object),
            [plural, name] => (*plural, Some(*name), Part::Object),
            [plural, name, "status"] => (*plural, Some(*name), Part::Status),
            _ => return Err(Failure::no_such_path()),
        };
        let spelling = if group == "events.k8s.io" { Spelling::EventsV1 } else { Spelling::Core };
        let group = if spelling == Spelling::EventsV1 { "" } else { group };
        let resource = Resource::by_plural(group, plural).ok_or_else(Failure::no_such_path)?;
        let kind = resource.kind();
        let wrong_scope =
            kind.namespaced && namespace.is_none() && name.is_some() || !kind.namespaced && namespace.is_some();
        if version != kind.version || wrong_scope || part == Part::Status && !kind.has_status {
            return Err(Failure::no_such_path());
        }
        let query = Query::parse(head.uri.query().unwrap_or(""));
        check_dry_run(query.get("dryRun"))?;
        check_option("fieldValidation", query.get("fieldValidation"), &["Ignore", "Warn", "Strict"])?;
        let verb = verb(&head.method, name, &query)?;
        Ok(Self {
            resource,
            spelling,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            part,
            verb,
            query,
            headers: head.headers.clone(),
            body: Bytes::new(),
        })
    }

    /// The key of a name in this request's namespace.
    pub(crate) fn key(&self, name: &str) -> Key {
        Key::new(self.resource, self.namespace.as_deref().unwrap_or(""), name)
    }

    /// The object's name; a request of a collection has none and never gets here.
    pub(crate) fn named(&self) -> Result<&str, Failure> {
        self.name.as_deref().ok_or_else(Failure::method_not_allowed)
    }

    /// The media type of the body, without parameters.
    pub(crate) fn content_type(&self) -> &str {
        text(&self.headers, header::CONTENT_TYPE).split(';').next().unwrap_or("").trim()
    }

    /// The `Accept` header.
    pub(crate) fn accept(&self) -> &str {
        text(&self.headers, header::ACCEPT)
    }

    /// `status` or nothing, as `managedFields` writes it.
    pub(crate) fn subresource(&self) -> &'static str {
        match self.part {
            Part::Object => "",
            Part::Status => "status",
        }
    }

    /// Whether nothing is to be stored.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.query.get("dryRun") == "All"
    }

    /// The field manager: the parameter, or the name of the client's program.
    pub(crate) fn manager(&self) -> String {
        match self.query.get("fieldManager") {
            "" => {
                let agent = text(&self.headers, header::USER_AGENT).split('/').next().unwrap_or("");
                if agent.is_empty() { "unknown".to_owned() } else { agent.chars().take(128).collect() }
            }
            manager => manager.to_owned(),
        }
    }
}

/// The parameters of a URL. A repeated one counts once, the last time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(HashMap<String, String>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Self(pairs.collect())
    }

    /// A parameter's value; empty where it is not given.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether a parameter is given and true.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), "true" | "1" | "True")
    }
}

/// The parts of a path, decoded.
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
}

pub(crate) fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn verb(method: &Method, name: Option<&str>, query: &Query) -> Result<Verb, Failure> {
    Ok(match (method, name.is_some()) {
        (&Method::GET, _) if query.is_true("watch") => Verb::Watch,
        (&Method::GET, true) => Verb::Get,
        (&Method::GET, false) => Verb::List,
        (&Method::POST, false) => Verb::Create,
        (&Method::PUT, true) => Verb::Update,
        (&Method::PATCH, true) => Verb::Patch,
        (&Method::DELETE, true) => Verb::Delete,
        (&Method::DELETE, false) => Verb::DeleteCollection,
        _ => return Err(Failure::method_not_allowed()),
    })
}
