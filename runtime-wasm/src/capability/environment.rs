//! `wasi:cli/environment`: the revision's environment and arguments.
//!
//! A guest of Rust or C reads its environment before anything else, used or not. Answered from the revision, that costs
//! no `WasiCtx`; of a request to a fresh instance it would be a thirtieth.

use crate::store::Context;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::cli::environment;

/// Takes the place of the same interface of `wasmtime_wasi`, which must be there already.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> Result<()> {
    linker.allow_shadowing(true);
    environment::add_to_linker::<_, HasSelf<Context>>(linker, |context| context)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl environment::Host for Context {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        Ok(self.function.revision.env.clone())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        Ok(self.function.revision.args.clone())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}
