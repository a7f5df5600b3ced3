//! `wasi:config`: the revision's environment, by name.

use super::bindings::wasi::config::store;
use crate::store::Context;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> Result<()> {
    store::add_to_linker::<_, HasSelf<Context>>(linker, |context| context)
}

impl store::Host for Context {
    async fn get(&mut self, key: String) -> Result<Result<Option<String>, store::Error>> {
        let env = &self.function.revision.env;
        // The last one counts, as in a process.
        Ok(Ok(env.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| value.clone())))
    }

    async fn get_all(&mut self) -> Result<Result<Vec<(String, String)>, store::Error>> {
        Ok(Ok(self.function.revision.env.clone()))
    }
}
