//! `fnctl get`: lists objects or shows one. The columns are the server's, and for functions how many instances they have.

use crate::args::{Get, Scope};
use crate::failure::{Failure, code};
use crate::manifest::{self, kind_by_word};
use crate::output::{self, Form};
use crate::target::{Target, broken_off, segment};
use fnctl_config::api::kind::{Kind, SERVING};
use futures::{AsyncBufReadExt as _, StreamExt as _};
use serde_json::{Value, json};

/// Asks for rows instead of objects.
const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

pub(crate) async fn run(arguments: Get, scope: &Scope) -> Result<(), Failure> {
    let words = arguments.kind.split(',').map(|word| manifest::kind_and_name(word, arguments.name.as_deref()));
    let wanted = words.collect::<Result<Vec<_>, _>>()?;
    let target = Target::find(scope).await?;
    if wanted.len() > 1 && (arguments.watch || wanted.iter().any(|(_, name)| name.is_some())) {
        return Err(Failure::invalid(code::INPUT, "a name or --watch goes with one kind only"));
    }
    for (index, (kind, name)) in wanted.iter().enumerate() {
        if index > 0 && matches!(target.form, Form::Text | Form::Wide) {
            output::data("")?;
        }
        show(&target, kind, *name, &arguments).await?;
    }
    Ok(())
}

async fn show(target: &Target, kind: &'static Kind, name: Option<&str>, arguments: &Get) -> Result<(), Failure> {
    let namespace = (!arguments.all_namespaces).then_some(target.namespace.as_str());
    let collection = manifest::collection(kind, namespace);
    let mut query = Vec::new();
    if let Some(selector) = &arguments.selector {
        query.push(format!("labelSelector={}", segment(selector)));
    }
    let path = match name {
        Some(name) if !arguments.watch => manifest::object(kind, namespace, name),
        Some(name) => {
            query.push(format!("fieldSelector=metadata.name%3D{}", segment(name)));
            collection
        }
        None => collection,
    };
    match &target.form {
        Form::Text | Form::Wide => table(target, kind, &with_query(&path, &query), arguments).await,
        form => {
            let answer = target.get(&with_query(&path, &query)).await?;
            print(form, kind, &answer)?;
            if arguments.watch { watch_objects(target, kind, &path, query, &answer).await } else { Ok(()) }
        }
    }
}

fn with_query(path: &str, query: &[String]) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// Prints one object or a list in a form for machines.
pub(crate) fn print(form: &Form, kind: &Kind, answer: &Value) -> Result<(), Failure> {
    match form {
        Form::Json => output::json(answer),
        Form::Yaml => {
            let yaml = serde_saphyr::to_string(answer);
            output::data(
                yaml.map_err(|e| Failure::failed(code::OTHER, "cannot write YAML").detail(e.to_string()))?.trim_end(),
            )
        }
        Form::JsonPath(template) => output::data(crate::jsonpath::render(template, answer)?),
        Form::Name | Form::Text | Form::Wide => {
            let items = answer["items"].as_array().map_or(std::slice::from_ref(answer), Vec::as_slice);
            items.iter().try_for_each(|item| output::data(resource_name(kind, item)))
        }
    }
}

/// `kind.group/name`, as kubectl prints it.
pub(crate) fn resource_name(kind: &Kind, object: &Value) -> String {
    let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
    format!("{}{group}/{}", kind.singular, object["metadata"]["name"].as_str().unwrap_or_default())
}

async fn watch_objects(
    target: &Target,
    kind: &Kind,
    path: &str,
    mut query: Vec<String>,
    answer: &Value,
) -> Result<(), Failure> {
    query.push("watch=true".to_owned());
    query.push(format!("resourceVersion={}", answer["metadata"]["resourceVersion"].as_str().unwrap_or_default()));
    let mut events = std::pin::pin!(target.lines(&with_query(path, &query)).await?);
    while let Some(event) = events.next().await {
        let event = event?;
        if event["type"] == "ERROR" {
            return Err(Failure::failed(code::OTHER, "the watch ended").detail(event["object"]["message"].to_string()));
        }
        print(&target.form, kind, &event["object"])?;
    }
    Ok(())
}

async fn table(target: &Target, kind: &Kind, path: &str, arguments: &Get) -> Result<(), Failure> {
    let answer: Value = target.client.request(table_request(path)?).await.map_err(|error| target.failure(error))?;
    let columns = Columns { wide: target.form == Form::Wide, namespaces: arguments.all_namespaces };
    let mut rows = columns.rows(&answer);
    let functions = Functions::of(target, kind, arguments);
    functions.add(&mut rows, &answer).await?;
    if rows.is_empty() && !arguments.watch {
        let place = if arguments.all_namespaces {
            "any namespace".to_owned()
        } else {
            format!("namespace {}", target.namespace)
        };
        output::say(format!("no {} found in {place}", kind.plural));
        return Ok(());
    }
    let mut header = columns.header(&answer);
    header.extend(functions.header());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    output::data(output::table(&header, rows))?;
    if !arguments.watch {
        return Ok(());
    }
    let version = answer["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let joint = if path.contains('?') { '&' } else { '?' };
    let request = table_request(&format!("{path}{joint}watch=true&resourceVersion={version}"))?;
    let stream = target.client.request_stream(request).await.map_err(|error| target.failure(error))?;
    let mut lines = stream.lines();
    while let Some(line) = lines.next().await {
        let line = line.map_err(|_| broken_off(&target.server))?;
        let event: Value = serde_json::from_str(&line).unwrap_or(json!({}));
        let mut rows = columns.rows(&event["object"]);
        functions.add(&mut rows, &event["object"]).await?;
        for row in rows {
            output::data(output::table(&[], [row]))?;
        }
    }
    Ok(())
}

fn table_request(path: &str) -> Result<http::Request<Vec<u8>>, Failure> {
    http::Request::get(path)
        .header(http::header::ACCEPT, format!("{AS_TABLE},application/json"))
        .body(Vec::new())
        .map_err(|e| Failure::invalid(code::INPUT, format!("{path:?} cannot be asked for")).because(&e))
}

/// A column of ours beside the server's, for functions: how many instances their revisions have.
enum Functions<'a> {
    Asked {
        target: &'a Target,
        namespace: Option<&'a str>,
    },
    /// Another kind is asked for.
    No,
}

impl<'a> Functions<'a> {
    fn of(target: &'a Target, kind: &Kind, arguments: &Get) -> Self {
        let namespace = (!arguments.all_namespaces).then_some(target.namespace.as_str());
        match kind.group == SERVING && kind.kind == "Service" {
            true => Self::Asked { target, namespace },
            false => Self::No,
        }
    }

    fn header(&self) -> Option<String> {
        matches!(self, Self::Asked { .. }).then(|| "INSTANCES".to_owned())
    }

    /// Completes the rows of a table. One request tells of all of them.
    async fn add(&self, rows: &mut [Vec<String>], table: &Value) -> Result<(), Failure> {
        let Self::Asked { target, namespace } = self else { return Ok(()) };
        if rows.is_empty() {
            return Ok(());
        }
        let revisions = target.get(&manifest::collection(kind_by_word("revision")?, *namespace)).await?;
        let revisions = revisions["items"].as_array().map_or(&[][..], Vec::as_slice);
        let objects = table["rows"].as_array().map_or(&[][..], Vec::as_slice);
        for (row, shown) in rows.iter_mut().zip(objects) {
            row.push(instances(&shown["object"]["metadata"], revisions));
        }
        Ok(())
    }
}

/// Instances of a function over all its revisions; nothing where no revision has come so far that it could have one.
fn instances(function: &Value, revisions: &[Value]) -> String {
    let is_its = |revision: &&Value| {
        revision["metadata"]["namespace"] == function["namespace"]
            && revision["metadata"]["labels"]["serving.knative.dev/service"] == function["name"]
    };
    let its = || revisions.iter().filter(is_its);
    let actual = its().filter_map(|revision| revision["status"]["actualReplicas"].as_i64());
    let is_wanted = || its().any(|revision| revision["status"]["desiredReplicas"].as_i64() > Some(0));
    match actual.reduce(|sum, more| sum + more) {
        None => String::new(),
        Some(0) if is_wanted() => "0 (starting)".to_owned(),
        Some(0) => "0 (scaled to zero)".to_owned(),
        Some(sum) => sum.to_string(),
    }
}

/// Which columns of the server's table are printed.
struct Columns {
    /// Those of a lower priority, too.
    wide: bool,
    /// One of our own before them: the namespace.
    namespaces: bool,
}

impl Columns {
    fn shows(&self, column: &Value) -> bool {
        self.wide || column["priority"].as_i64().unwrap_or(0) == 0
    }

    fn header(&self, table: &Value) -> Vec<String> {
        let columns = table["columnDefinitions"].as_array().map_or(&[][..], Vec::as_slice);
        let names = columns.iter().filter(|c| self.shows(c)).filter_map(|c| c["name"].as_str()).map(str::to_uppercase);
        self.namespaces.then(|| "NAMESPACE".to_owned()).into_iter().chain(names).collect()
    }

    fn rows(&self, table: &Value) -> Vec<Vec<String>> {
        let columns = table["columnDefinitions"].as_array().map_or(&[][..], Vec::as_slice);
        let rows = table["rows"].as_array().map_or(&[][..], Vec::as_slice);
        let cells = |row: &Value| {
            let namespace = self.namespaces.then(|| cell(&row["object"]["metadata"]["namespace"]));
            let cells = row["cells"].as_array().map_or(&[][..], Vec::as_slice).iter().enumerate();
            // Later events of a watch bring no columns: the server sends the same cells in the same order.
            let cells = cells.filter(|(index, _)| columns.get(*index).is_none_or(|c| self.shows(c)));
            namespace.into_iter().chain(cells.map(|(_, value)| cell(value))).collect()
        };
        rows.iter().map(cells).collect()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
