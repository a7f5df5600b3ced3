//! What components may import: one function per capability, one linker per set of grants, built once per node.

use crate::capability::{blobstore, environment, keyvalue, settings};
use crate::engine::Engine;
use crate::store::Context;
use fnctl_config::snapshot::Grants;
use std::sync::OnceLock;
use wasmtime::Result;
use wasmtime::component::Linker;

/// The linkers by what they add to the base; made on first use.
pub(crate) struct Linkers {
    engine: Engine,
    by_grants: [OnceLock<Linker<Context>>; 4],
}

impl Linkers {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, by_grants: Default::default() }
    }

    /// The linker for these grants: an interface that is not granted is not there.
    pub(crate) fn get(&self, grants: &Grants) -> Result<&Linker<Context>> {
        let (buckets, key_value) = (!grants.buckets.is_empty(), !grants.key_value.is_empty());
        let slot = &self.by_grants[usize::from(buckets) + 2 * usize::from(key_value)];
        if let Some(linker) = slot.get() {
            return Ok(linker);
        }
        let mut linker = Linker::new(self.engine.wasm());
        add_base(&mut linker)?;
        add_settings(&mut linker)?;
        if buckets {
            add_buckets(&mut linker)?;
        }
        if key_value {
            add_key_value(&mut linker)?;
        }
        // Another thread may have been first; its linker is the same.
        Ok(slot.get_or_init(|| linker))
    }
}

/// All of `wasi:cli` with nothing granted (guests of every language import it, used or not), and `wasi:http`, whose
/// requests to the outside are refused one by one unless granted.
fn add_base(linker: &mut Linker<Context>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    environment::add_to_linker(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

fn add_settings(linker: &mut Linker<Context>) -> Result<()> {
    settings::add_to_linker(linker)
}

fn add_buckets(linker: &mut Linker<Context>) -> Result<()> {
    blobstore::add_to_linker(linker)
}

fn add_key_value(linker: &mut Linker<Context>) -> Result<()> {
    keyvalue::add_to_linker(linker)
}

/// Why an import has nobody behind it; None where it has.
pub(crate) fn missing(import: &str, grants: &Grants) -> Option<String> {
    let interface = import.split_once('@').map_or(import, |(interface, _version)| interface);
    let package = interface.split_once('/').map_or(interface, |(package, _)| package);
    let ungranted = |annotation: &str| {
        Some(format!("the component imports {interface}, which is not granted: add the annotation {annotation}"))
    };
    let version = import.rsplit_once('@').map_or("", |(_, version)| version);
    match package {
        "wasi:blobstore" if version != "0.2.0-draft" => unknown(import, "wasi:blobstore@0.2.0-draft"),
        "wasi:blobstore" if grants.buckets.is_empty() => ungranted("fnctl.dev/buckets"),
        "wasi:keyvalue" if version != "0.2.0-draft" || interface == "wasi:keyvalue/batch" => {
            unknown(import, "wasi:keyvalue/store and atomics @0.2.0-draft")
        }
        "wasi:keyvalue" if grants.key_value.is_empty() => ungranted("fnctl.dev/key-value"),
        "wasi:config" if version != "0.2.0-rc.1" => unknown(import, "wasi:config@0.2.0-rc.1"),
        "wasi:blobstore" | "wasi:keyvalue" | "wasi:config" => None,
        "wasi:cli" | "wasi:clocks" | "wasi:filesystem" | "wasi:http" | "wasi:io" | "wasi:random" | "wasi:sockets" => {
            let known = version.starts_with("0.2.") && !version.contains('-');
            if known { None } else { unknown(import, "WASI 0.2") }
        }
        _ => unknown(import, "the interfaces of WASI 0.2, wasi:blobstore, wasi:keyvalue and wasi:config"),
    }
}

fn unknown(import: &str, instead: &str) -> Option<String> {
    Some(format!("the component imports {import}, which nothing here provides: there is {instead}"))
}

#[cfg(test)]
mod tests;
