//! The shape of the command line, and nothing else: what each word does stands in `command`.

mod bench;

pub(crate) use bench::{BenchCold, BenchCommand, BenchEvent, BenchHttp};
use clap::builder::NonEmptyStringValueParser as NonEmpty;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// Knative's API, without Kubernetes when you have none, and without its cold start when you have.
#[derive(Debug, Parser)]
#[command(name = "fnctl", version, propagate_version = true, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "First steps:\n  fnctl demo xray               the whole platform at work, in one command\n  \
    fnctl up                      a node on this machine\n  fnctl deploy examples/hello   a function on it")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) scope: Scope,
}

/// Which node, which namespace, which form of output.
#[derive(Args, Clone, Debug)]
pub(crate) struct Scope {
    /// Talk to the node or cluster of this kubeconfig [default: $FNCTL_KUBECONFIG, the local node, $KUBECONFIG]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Data directory of the local node [env: FNCTL_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,

    /// Namespace of the objects
    #[arg(short, long, global = true, default_value = "default", value_parser = NonEmpty::new())]
    pub(crate) namespace: String,

    /// json, yaml, name, wide or jsonpath=TEMPLATE
    #[arg(short, long, global = true, value_name = "FORM")]
    pub(crate) output: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node: API, functions, brokers and buckets in this process
    Up(Up),
    /// Deploy a folder and again at each change of its .wasm
    Dev(Dev),
    /// Deploy a .wasm, a folder with a service.yaml, a YAML file or an image, and wait until it is ready
    Deploy(Deploy),
    /// Make objects as the files say (server-side apply)
    Apply(Apply),
    /// Show what apply would change; exit code 1 if anything
    Diff(Diff),
    /// List objects, or show one
    Get(Get),
    /// Show one object with its conditions, scaling decisions and events
    Describe(Describe),
    /// Delete objects
    Delete(Delete),
    /// Wait for a condition
    Wait(Wait),
    /// Call a function
    Invoke(Invoke),
    /// Show what a function printed, also after it scaled to zero
    Logs(Logs),
    /// Send, list and explain events
    #[command(subcommand)]
    Event(EventCommand),
    /// Events that no subscriber took
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Try a trigger's filter
    #[command(subcommand)]
    Trigger(TriggerCommand),
    /// Try the autoscaler
    #[command(subcommand)]
    Autoscaler(AutoscalerCommand),
    /// The whole platform at work
    #[command(subcommand)]
    Demo(DemoCommand),
    /// Measure this program from outside, as its users meet it
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version, and the API versions that it serves
    Version,
    /// Compile a component, in a process of its own (used by the node)
    #[command(hide = true, name = "compile-component")]
    CompileComponent {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Where functions and brokers listen; port 0 is any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) http: Option<String>,
    /// Where the API listens [default: 127.0.0.1:8443]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) control: Option<String>,
    /// Where buckets listen [default: 127.0.0.1:9000]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) s3: Option<String>,
    /// Messages of the node: error, warn, info, debug, or directives as in warn,fnctl_broker=debug
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub(crate) log: String,
    /// Settings file [default: node.yaml in the data directory, if it is there]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Dev {
    /// The folder of the function
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Deploy {
    /// A .wasm, a folder with a service.yaml, a YAML file, or an image
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) path: String,
    /// Name of the function [default: from the manifest, or the file's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Do not wait until it is ready
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long to wait
    #[arg(long, value_parser = duration, default_value = "60s")]
    pub(crate) timeout: Duration,
    /// Environment of the function, on top of the manifest's
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) env: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Apply {
    /// A file, a folder, or - for standard input
    #[arg(short, long = "filename", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<String>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take over fields that somebody else set
    #[arg(long)]
    pub(crate) force_conflicts: bool,
    /// Delete what an earlier apply of the same files in this namespace made and they no longer hold (- is one file)
    #[arg(long)]
    pub(crate) prune: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// A file, a folder, or - for standard input
    #[arg(short, long = "filename", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Get {
    /// Kind, or several with commas: ksvc, revision, route, broker, trigger, bucketsource, configmap, secret, ...;
    /// or KIND/NAME
    pub(crate) kind: String,
    /// One object
    pub(crate) name: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Only objects with these labels
    #[arg(short = 'l', long)]
    pub(crate) selector: Option<String>,
    /// Go on showing changes
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Describe {
    /// KIND, or KIND/NAME
    pub(crate) kind: String,
    /// Name
    pub(crate) name: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// KIND and names, or KIND/NAME...
    #[arg(required_unless_present = "files")]
    pub(crate) objects: Vec<String>,
    /// What is in these files
    #[arg(short, long = "filename", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Wait {
    /// KIND and names, or KIND/NAME...
    #[arg(required = true)]
    pub(crate) objects: Vec<String>,
    /// condition=TYPE[=STATUS] or delete
    #[arg(long = "for", value_name = "WHAT")]
    pub(crate) what: String,
    /// How long, for each
    #[arg(long, value_parser = duration, default_value = "30s")]
    pub(crate) timeout: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct Invoke {
    /// The function
    #[arg(value_parser = NonEmpty::new())]
    pub(crate) name: String,
    /// Body; makes it a POST
    #[arg(long, conflicts_with = "file")]
    pub(crate) data: Option<String>,
    /// Body from a file
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// A header
    #[arg(long, value_name = "NAME:VALUE")]
    pub(crate) header: Vec<String>,
    /// Path and query
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    /// Send it as a CloudEvent
    #[arg(long)]
    pub(crate) event: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// The function
    #[arg(value_parser = NonEmpty::new())]
    pub(crate) name: String,
    /// Go on showing new lines
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only lines younger than this
    #[arg(long, value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// Only lines printed for this event
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<String>,
    /// Only lines of this revision
    #[arg(long)]
    pub(crate) revision: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventCommand {
    /// Send events to a broker
    Send(EventSend),
    /// List events that a broker keeps
    List(EventList),
    /// Show one event
    Show(EventShow),
    /// Show events as they come
    Tail(EventTail),
    /// Say what happened to an event, trigger by trigger
    Why(EventWhy),
    /// Check whether a file holds a valid CloudEvent
    Check(EventCheck),
}

#[derive(Args, Debug)]
pub(crate) struct EventSend {
    /// The broker
    #[arg(long, default_value = "default", value_parser = NonEmpty::new())]
    pub(crate) broker: String,
    /// Type of the event
    #[arg(long = "type", required_unless_present = "file")]
    pub(crate) event_type: Option<String>,
    /// Source of the event
    #[arg(long, default_value = "fnctl")]
    pub(crate) source: String,
    /// Subject of the event
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Id of the event [default: a new UUID]
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Data; sent as JSON if it is JSON, else as text
    #[arg(long, conflicts_with = "file")]
    pub(crate) data: Option<String>,
    /// One structured event, an array of them, or one a line
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// An extension attribute
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) extension: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct EventList {
    /// The broker
    #[arg(long, default_value = "default", value_parser = NonEmpty::new())]
    pub(crate) broker: String,
    /// Only events younger than this
    #[arg(long, value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// Only events of this type
    #[arg(long = "type")]
    pub(crate) event_type: Option<String>,
    /// At most this many, the newest
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct EventShow {
    /// Id or position
    #[arg(value_parser = NonEmpty::new())]
    pub(crate) event: String,
    /// The broker
    #[arg(long, default_value = "default", value_parser = NonEmpty::new())]
    pub(crate) broker: String,
}

#[derive(Args, Debug)]
pub(crate) struct EventTail {
    /// The broker
    #[arg(long, default_value = "default", value_parser = NonEmpty::new())]
    pub(crate) broker: String,
    /// Begin with events younger than this [default: now]
    #[arg(long, value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// Only events of this type
    #[arg(long = "type")]
    pub(crate) event_type: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct EventWhy {
    /// Id or position
    #[arg(value_parser = NonEmpty::new())]
    pub(crate) event: String,
    /// The broker
    #[arg(long, default_value = "default", value_parser = NonEmpty::new())]
    pub(crate) broker: String,
    /// Only events of this source
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Only this trigger
    #[arg(long)]
    pub(crate) trigger: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct EventCheck {
    /// How the file is to be read
    #[arg(long, value_enum, default_value_t = CheckMode::Structured)]
    pub(crate) mode: CheckMode,
    /// The file, or - for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: String,
}

/// The forms that an event can have in a file.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CheckMode {
    /// One JSON object
    Structured,
    /// A JSON array
    Batch,
    /// A raw HTTP message
    Http,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List parked and dead-lettered events
    List(DlqFilter),
    /// Print a parked event, and why it is parked
    Show(DlqEntry),
    /// Deliver parked events again
    Redrive(DlqFilter),
    /// Remove a parked event for good
    Drop(DlqDrop),
}

#[derive(Args, Debug)]
pub(crate) struct DlqEntry {
    /// The parked event: its ID in the list
    #[arg(value_parser = NonEmpty::new())]
    pub(crate) id: String,
    /// The broker
    #[arg(long, default_value = "default", value_parser = NonEmpty::new())]
    pub(crate) broker: String,
}

#[derive(Args, Debug)]
pub(crate) struct DlqDrop {
    #[command(flatten)]
    pub(crate) entry: DlqEntry,
    /// It is not sent again by anybody: do it
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DlqFilter {
    /// The broker
    #[arg(long, default_value = "default", value_parser = NonEmpty::new())]
    pub(crate) broker: String,
    /// Only of this trigger
    #[arg(long)]
    pub(crate) trigger: Option<String>,
    /// Only with this reason
    #[arg(long, value_parser = ["exhausted", "refused", "looping", "dead-letter-failed", "dead-lettered"])]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TriggerCommand {
    /// Would this event match?
    Test(TriggerTest),
}

#[derive(Args, Debug)]
pub(crate) struct TriggerTest {
    /// A trigger of the node
    #[arg(long, conflicts_with_all = ["filters", "lines"])]
    pub(crate) trigger: Option<String>,
    /// A JSON array, as in spec.filters; needs no node
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) filters: Option<PathBuf>,
    /// A structured event
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "lines")]
    pub(crate) event: Option<PathBuf>,
    /// Read {"filters":[...],"event":{...}} per line from standard input, answer one per line
    #[arg(long)]
    pub(crate) lines: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Pictures land in a bucket, a function wakes, the results land in buckets
    Xray(Demo),
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How many synthetic films, or a folder of pictures [default: 100]
    #[arg(long, value_name = "N|DIR", value_hint = ValueHint::DirPath)]
    pub(crate) pictures: Option<String>,
    /// Leave the node running
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AutoscalerCommand {
    /// What the autoscaler would do with a trace, on simulated time
    Simulate {
        /// The trace, one JSON object a line [default: standard input]
        #[arg(long, value_hint = ValueHint::FilePath)]
        trace: Option<PathBuf>,
    },
}

/// A length of time as people write it: `300ms`, `5s`, `2m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{unit:?} is no unit of time: use ms, s, m or h")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no length of time: write it as 30s"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|e| e.to_string())
}
