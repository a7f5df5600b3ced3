//! What a command says when it did not do what was asked: a stable code, one sentence, the causes, and a command to try.

use kube::core::Status;
use serde_json::json;
use std::fmt;

/// How a command ends. The numbers are a contract that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The thing asked for is not so, or failed.
    Failed = 1,
    /// Wrong usage or invalid input.
    Invalid = 2,
    /// No node answers.
    Unreachable = 3,
    /// Waited in vain.
    TimedOut = 4,
}

/// Stable numbers of failures: the first digit is the kind of trouble.
pub(crate) mod code {
    /// A file or an argument is not what it should be.
    pub(crate) const INPUT: &str = "FN1001";
    /// A file cannot be read.
    pub(crate) const FILE: &str = "FN1002";
    /// A YAML document is not valid.
    pub(crate) const YAML: &str = "FN1003";
    /// A kind is not known.
    pub(crate) const KIND: &str = "FN1004";
    /// No node is there.
    pub(crate) const NO_NODE: &str = "FN1101";
    /// The node does not answer.
    pub(crate) const UNREACHABLE: &str = "FN1102";
    /// The token is not accepted.
    pub(crate) const UNAUTHORIZED: &str = "FN1103";
    /// The object is not there.
    pub(crate) const NOT_FOUND: &str = "FN1201";
    /// Somebody else changed the object, or owns the field.
    pub(crate) const CONFLICT: &str = "FN1202";
    /// The API refused the object.
    pub(crate) const REFUSED: &str = "FN1203";
    /// The object did not become ready.
    pub(crate) const NOT_READY: &str = "FN1301";
    /// Waited in vain.
    pub(crate) const TIMED_OUT: &str = "FN1302";
    /// A measurement missed its goal.
    pub(crate) const GOAL: &str = "FN1303";
    /// Stopped before its end.
    pub(crate) const STOPPED: &str = "FN1304";
    /// The node cannot start.
    pub(crate) const NODE: &str = "FN1401";
    /// A store of the node failed.
    pub(crate) const STORE: &str = "FN1402";
    /// Something that should not happen.
    pub(crate) const OTHER: &str = "FN1999";
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: &'static str,
    message: String,
    cause: Vec<String>,
    try_this: Option<String>,
    exit: Exit,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), cause: Vec::new(), try_this: None, exit }
    }

    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Invalid, code, message)
    }

    pub(crate) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, code, message)
    }

    /// The same failure in other words.
    pub(crate) fn says(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds what lies beneath, outermost first.
    pub(crate) fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if self.cause.last() != Some(&text) {
                self.cause.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds one line to what lies beneath.
    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.cause.push(line.into());
        self
    }

    /// Adds a command that may help.
    pub(crate) fn try_this(mut self, command: impl Into<String>) -> Self {
        self.try_this = Some(command.into());
        self
    }

    /// A failure that has said all it has to say: only the exit code is left.
    pub(crate) fn quiet(exit: Exit) -> Self {
        Self::new(exit, "", "")
    }

    /// Whether there is nothing left to say.
    pub(crate) fn is_quiet(&self) -> bool {
        self.code.is_empty()
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The failure as one JSON line, for `-o json`.
    pub(crate) fn to_json(&self) -> String {
        json!({"error": {"code": self.code, "message": self.message, "cause": self.cause, "try": self.try_this}})
            .to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        for cause in &self.cause {
            write!(f, "\n  {cause}")?;
        }
        if let Some(command) = &self.try_this {
            write!(f, "\n  try: {command}")?;
        }
        Ok(())
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        let unreachable =
            || Self::new(Exit::Unreachable, code::UNREACHABLE, "the node does not answer").try_this("fnctl up");
        match &error {
            kube::Error::Api(status) => Self::from(status.as_ref()),
            kube::Error::Service(cause) => unreachable().because(cause.as_ref()),
            kube::Error::HyperError(cause) => unreachable().because(cause),
            _ => Self::failed(code::OTHER, "the request failed").because(&error),
        }
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let message = status.message.clone();
        match status.code {
            401 => Self::failed(code::UNAUTHORIZED, "the node does not accept this token")
                .try_this("use the kubeconfig that the running node wrote into its data directory"),
            404 => match status.details.as_ref().map_or("", |details| &details.kind) {
                "" => Self::failed(code::NOT_FOUND, message),
                kind => Self::failed(code::NOT_FOUND, message).try_this(format!("fnctl get {kind} -A")),
            },
            409 => Self::failed(code::CONFLICT, message),
            400 | 413 | 415 | 422 => Self::invalid(code::REFUSED, message),
            504 => Self::new(Exit::TimedOut, code::TIMED_OUT, message),
            _ => Self::failed(code::REFUSED, message),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(code::FILE, "input or output failed").because(&error)
    }
}
