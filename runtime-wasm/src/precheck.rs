//! What is read from a component before a compiler sees it: is it one, and is it within bounds. Pure.

use fnctl_config::limits;
use wasmparser::{Encoding, Parser, Payload};

/// What a component consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Functions of all its modules.
    pub functions: u32,
    /// Core modules and components inside of it.
    pub modules: u32,
    /// Linear memories of all its modules.
    pub memories: u32,
}

/// Why bytes are not taken as a component.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrecheckError {
    /// Nothing was sent.
    #[error("the file is empty")]
    Empty,
    /// Too many bytes.
    #[error("the component has {bytes} bytes, the limit is {}", limits::COMPONENT_BYTES_MAX)]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// Something else; `what` it looks like.
    #[error("the file is not wasm: it looks like {what}")]
    NotWasm {
        /// One or two words.
        what: &'static str,
    },
    /// A core module where a component is needed.
    #[error("the file is a core wasm module and not a component: {hint}")]
    CoreModule {
        /// What to do.
        hint: &'static str,
    },
    /// Wasm that does not parse.
    #[error("the component is damaged: {0}")]
    Damaged(String),
    /// More of something than a component may have.
    #[error("the component has {count} {what}, the limit is {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many, at least.
        count: u32,
        /// The limit.
        limit: u32,
    },
}

/// Reads the structure of a component. Its code is not looked at: that is the compiler's.
pub fn precheck(bytes: &[u8]) -> Result<Contents, PrecheckError> {
    if bytes.is_empty() {
        return Err(PrecheckError::Empty);
    }
    if bytes.len() > limits::COMPONENT_BYTES_MAX {
        return Err(PrecheckError::TooLarge { bytes: bytes.len() });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(PrecheckError::NotWasm { what: kind(bytes) });
    }
    let mut contents = Contents::default();
    let mut wasi_preview1 = false;
    let mut depth = 0u32;
    let damaged = |error: wasmparser::BinaryReaderError| PrecheckError::Damaged(error.to_string());
    let mut outer = None;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { encoding, .. } if outer.is_none() => outer = Some(encoding),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                contents.modules += 1;
                at_most("core modules and components", contents.modules, limits::COMPONENT_MODULES_MAX)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::FunctionSection(section) => {
                contents.functions = contents.functions.saturating_add(section.count());
                at_most("functions", contents.functions, limits::COMPONENT_FUNCTIONS_MAX)?;
            }
            Payload::MemorySection(section) => {
                contents.memories = contents.memories.saturating_add(section.count());
                at_most("memories", contents.memories, limits::INSTANCE_MEMORIES_MAX)?;
            }
            Payload::ImportSection(section) if depth == 0 => {
                for import in section.into_imports() {
                    wasi_preview1 |= import.map_err(damaged)?.module == "wasi_snapshot_preview1";
                }
            }
            _ => {}
        }
    }
    match outer {
        Some(Encoding::Component) => Ok(contents),
        Some(Encoding::Module) if wasi_preview1 => Err(PrecheckError::CoreModule {
            hint: "it was built for wasm32-wasip1; build for wasm32-wasip2, or convert it with `wasm-tools component new --adapt`",
        }),
        Some(Encoding::Module) => Err(PrecheckError::CoreModule {
            hint: "build for wasm32-wasip2, or convert it with `wasm-tools component new`",
        }),
        None => Err(PrecheckError::Damaged("it has no header".to_owned())),
    }
}

fn at_most(what: &'static str, count: u32, limit: u32) -> Result<(), PrecheckError> {
    if count > limit { Err(PrecheckError::TooMany { what, count, limit }) } else { Ok(()) }
}

fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => "a native program",
        [0x1f, 0x8b, ..] => "a gzip archive",
        [b'P', b'K', ..] => "a zip archive",
        [b'#', b'!', ..] => "a script",
        [b'(', b'm' | b'c', ..] => "wasm in text form",
        [b'{', ..] => "JSON",
        bytes if bytes.iter().take(64).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => "text",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests;
