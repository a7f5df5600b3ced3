//! Settings of one node, and which node a command talks to. The one place that reads the process environment.
//!
//! Each setting is the first of: flag, environment, settings file, default. Everything wrong is reported at once.

mod file;
mod target;

pub use target::{NoTarget, kubeconfig};

use crate::address::{DEFAULT_DOMAIN, HTTP_PORT_DEFAULT};
use crate::api::metadata::is_dns_subdomain;
use crate::limits::{GUEST_MEMORY_BYTES_DEFAULT, MEMORY_BYTES_DEFAULT};
use crate::quantity::Quantity;
use file::File;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The settings of a node, ready: every value may be used as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where the node keeps everything; it writes nowhere else. It need not be there yet.
    pub data_dir: PathBuf,
    /// Where functions and brokers listen; port 0 is any free one.
    pub http: SocketAddr,
    /// Where the API listens; port 0 is any free one.
    pub control: SocketAddr,
    /// Where buckets listen; port 0 is any free one.
    pub s3: SocketAddr,
    /// Functions are hosts under it: `<service>.<namespace>.<domain>`.
    pub domain: String,
    /// Hosts, beside loopback ones, on which reserved paths (`/-/`) answer; lower case, without a port.
    pub hosts: Vec<String>,
    /// Where brokers keep events.
    pub log: LogChoice,
    /// Linear memory of all guests together, in bytes. Above it: calls wait.
    pub guest_memory_bytes: u64,
}

/// Where brokers keep events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogChoice {
    /// On disk, durable before an event is accepted.
    Segments,
    /// In memory, gone with the process: for tests and trials.
    Memory,
}

/// What the command line said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--http`.
    pub http: Option<String>,
    /// `--control`.
    pub control: Option<String>,
    /// `--s3`.
    pub s3: Option<String>,
    /// `--config`: a settings file in place of `<data dir>/node.yaml`.
    pub config: Option<PathBuf>,
}

/// Named values around a process.
pub trait Environment {
    /// The value of a variable; none where it is not set or empty.
    fn get(&self, name: &str) -> Option<OsString>;
}

impl Environment for BTreeMap<&str, &str> {
    fn get(&self, name: &str) -> Option<OsString> {
        BTreeMap::get(self, name).filter(|value| !value.is_empty()).map(OsString::from)
    }
}

/// The environment of this process.
pub fn environment() -> impl Environment {
    struct Process;
    impl Environment for Process {
        #[allow(clippy::disallowed_methods, reason = "the one reader of the process environment")]
        fn get(&self, name: &str) -> Option<OsString> {
            std::env::var_os(name).filter(|value| !value.is_empty())
        }
    }
    Process
}

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag, such as `--http`.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A settings file.
    File(PathBuf),
    /// Nowhere: the default did not work out.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "${name}"),
            Self::File(path) => path.display().fmt(f),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}{} from {origin}: {fix}", shown(.value))]
pub struct SettingError {
    /// The setting, as the settings file names it.
    pub name: String,
    /// What was written; empty where that is not the point.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
    /// What to write instead, or to do.
    pub fix: String,
}

impl SettingError {
    fn new(name: &str, value: impl fmt::Display, origin: Origin, fix: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.to_string(), origin, fix: fix.into() }
    }
}

fn shown(value: &str) -> String {
    if value.is_empty() { String::new() } else { format!(" {value:?}") }
}

impl Node {
    /// The settings of a node, or all that is wrong with them. Reads the settings file, if there is one.
    pub fn resolve(flags: Flags, environment: &dyn Environment) -> Result<Self, Vec<SettingError>> {
        let mut errors = Vec::new();
        let place = data_dir(flags.data_dir, environment);
        let file = match (&flags.config, &place) {
            (Some(path), _) => file::read(path),
            (None, Some(place)) => file::read_if_there(&place.join(file::NAME)),
            (None, None) => Ok(File::default()),
        };
        let file = file.unwrap_or_else(|error| {
            errors.push(error);
            File::default()
        });
        let mut reader = Reader { environment, file, errors };
        let data_dir = reader.data_dir(place, flags.config.as_deref());
        let node = Self {
            http: reader.address("http", flags.http, ("--http", "FNCTL_HTTP"), HTTP_PORT_DEFAULT),
            control: reader.address("control", flags.control, ("--control", "FNCTL_CONTROL"), 8443),
            s3: reader.address("s3", flags.s3, ("--s3", "FNCTL_S3"), 9000),
            domain: reader.domain(),
            hosts: reader.hosts(),
            log: reader.log(),
            guest_memory_bytes: reader.guest_memory(),
            data_dir,
        };
        reader.unknown();
        reader.distinct(&node);
        if reader.errors.is_empty() { Ok(node) } else { Err(reader.errors) }
    }
}

/// A data directory and who chose it.
struct Place {
    path: PathBuf,
    origin: Origin,
}

impl Place {
    fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// `--data-dir`, then `$FNCTL_DATA_DIR`, then where the XDG base directory specification puts an application's data.
fn data_dir(flag: Option<PathBuf>, environment: &dyn Environment) -> Option<Place> {
    let path = |name| environment.get(name).map(PathBuf::from);
    if let Some(path) = flag {
        return Some(Place { path, origin: Origin::Flag("--data-dir") });
    }
    if let Some(path) = path("FNCTL_DATA_DIR") {
        return Some(Place { path, origin: Origin::Variable("FNCTL_DATA_DIR") });
    }
    // The standard ignores a relative XDG_DATA_HOME.
    let data = path("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| path("HOME").map(|home| home.join(".local/share")))?;
    Some(Place { path: data.join("fnctl"), origin: Origin::Default })
}

/// Takes settings one by one and collects what is wrong.
struct Reader<'a> {
    environment: &'a dyn Environment,
    file: File,
    errors: Vec<SettingError>,
}

impl Reader<'_> {
    fn fail(&mut self, name: &str, value: impl fmt::Display, origin: Origin, fix: impl Into<String>) {
        self.errors.push(SettingError::new(name, value, origin, fix));
    }

    fn data_dir(&mut self, place: Option<Place>, config: Option<&Path>) -> PathBuf {
        let origin = self.file.origin();
        let mut written = self.file.text("dataDir", &mut self.errors);
        if config.is_none()
            && let Some(written) = written.take()
        {
            self.fail("dataDir", written, origin, "this file lies in the data directory: use --data-dir");
        }
        match (place, written, config) {
            (Some(Place { path, origin: Origin::Flag(_) | Origin::Variable(_) }), _, _) => path,
            (_, Some(written), Some(config)) => config.parent().unwrap_or(Path::new("")).join(written),
            (Some(place), ..) => place.path,
            (None, ..) => {
                self.fail("dataDir", "", Origin::Default, "there is no $HOME: use --data-dir or set FNCTL_DATA_DIR");
                PathBuf::new()
            }
        }
    }

    /// A flag, a variable, or the file's text, whichever comes first.
    fn text(
        &mut self,
        name: &str,
        flag: Option<String>,
        (flag_name, variable): (&'static str, &'static str),
    ) -> Option<(String, Origin)> {
        if let Some(value) = flag {
            return Some((value, Origin::Flag(flag_name)));
        }
        if let Some(value) = self.environment.get(variable) {
            return Some((value.to_string_lossy().into_owned(), Origin::Variable(variable)));
        }
        let origin = self.file.origin();
        self.file.text(name, &mut self.errors).map(|value| (value, origin))
    }

    fn address(
        &mut self,
        name: &str,
        flag: Option<String>,
        names: (&'static str, &'static str),
        port: u16,
    ) -> SocketAddr {
        let default = SocketAddr::from(([127, 0, 0, 1], port));
        let Some((value, origin)) = self.text(name, flag, names) else { return default };
        let numeric = value.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        numeric.as_deref().unwrap_or(&value).parse().unwrap_or_else(|_| {
            self.fail(name, value, origin, format!("expected an IP address and a port, such as {default}"));
            default
        })
    }

    fn domain(&mut self) -> String {
        let origin = self.file.origin();
        let Some(value) = self.file.text("domain", &mut self.errors) else { return DEFAULT_DOMAIN.to_owned() };
        if !is_dns_subdomain(&value) {
            self.fail("domain", &value, origin, "expected a domain in lower case, such as functions.example.com");
        }
        value
    }

    fn hosts(&mut self) -> Vec<String> {
        let origin = self.file.origin();
        let hosts = self.file.list("hosts", &mut self.errors);
        for host in hosts.iter().filter(|host| !is_dns_subdomain(host) && host.parse::<std::net::IpAddr>().is_err()) {
            let fix = "expected a host in lower case without scheme and port, such as node.example.com";
            self.fail("hosts", host, origin.clone(), fix);
        }
        hosts
    }

    fn log(&mut self) -> LogChoice {
        let origin = self.file.origin();
        match self.file.text("log", &mut self.errors).as_deref() {
            None | Some("segments") => LogChoice::Segments,
            Some("memory") => LogChoice::Memory,
            Some(other) => {
                self.fail("log", other, origin, "expected segments or memory");
                LogChoice::Segments
            }
        }
    }

    fn guest_memory(&mut self) -> u64 {
        let origin = self.file.origin();
        let Some(value) = self.file.text("guestMemory", &mut self.errors) else { return GUEST_MEMORY_BYTES_DEFAULT };
        let bytes = value.parse().ok().and_then(Quantity::units).filter(|bytes| *bytes >= MEMORY_BYTES_DEFAULT);
        bytes.unwrap_or_else(|| {
            let least = MEMORY_BYTES_DEFAULT >> 20;
            self.fail("guestMemory", value, origin, format!("expected a quantity of at least {least}Mi, such as 2Gi"));
            GUEST_MEMORY_BYTES_DEFAULT
        })
    }

    fn unknown(&mut self) {
        for key in self.file.rest() {
            let fix = match crate::nearest(&key, file::KEYS.iter().copied()) {
                Some(name) => format!("there is no such setting: did you mean {name:?}?"),
                None => format!("there is no such setting: expected one of {}", file::KEYS.join(", ")),
            };
            self.fail(&key, "", self.file.origin(), fix);
        }
    }

    /// Two listeners at one address cannot both be bound; it is better said here, with their names.
    fn distinct(&mut self, node: &Node) {
        let all = [("http", node.http), ("control", node.control), ("s3", node.s3)];
        for (index, (name, address)) in all.iter().enumerate() {
            let earlier = all[..index].iter().find(|(_, other)| other == address && other.port() != 0);
            if let Some((other, _)) = earlier {
                self.fail(
                    name,
                    address,
                    Origin::Default,
                    format!("{other} listens there already: choose another port"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
