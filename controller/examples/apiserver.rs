//! The API server alone, for trying the real `kubectl` against it: `apiserver FOLDER PORT`.

use fnctl_controller::apiserver::{ApiServer, Token, kubeconfig, logs::NoLogs, serve_tls, store::Place, tls};
use std::path::PathBuf;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("the first argument is a folder")?);
    let port: u16 = arguments.next().ok_or("the second argument is a port")?.parse()?;
    let token = Token::load_or_create(&folder.join("token"))?;
    let identity = tls::load_or_create(&folder)?;
    let api = ApiServer::open(Place::File(folder.join("api.redb")), token.clone(), Arc::new(NoLogs)).await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let address = format!("https://{}", listener.local_addr()?);
    kubeconfig::write(&folder.join("kubeconfig"), &address, &identity.authority_pem, &token)?;
    let closing = api.clone();
    let interrupted = async move {
        // Without a handler of the signal the process simply ends.
        let _ = tokio::signal::ctrl_c().await;
        closing.close_watches();
    };
    serve_tls(listener, identity.server, api.router(), interrupted).await;
    Ok(())
}
