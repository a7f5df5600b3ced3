use super::serve::{Settings, serve};
use super::*;
use crate::bucket::tests::store;
use crate::vfs::Vfs;
use crate::vfs::simulated::Simulated;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[test]
fn credentials_are_made_once_and_kept() {
    let disk = Simulated::new(1);
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let path = Path::new("/node/s3.json");
    let made = Credentials::load_or_create(&vfs, path).unwrap();
    assert_eq!((made.access_key.len(), made.secret_key.len()), (20, 40));
    disk.crash();
    assert_eq!(Credentials::load_or_create(&vfs, path).unwrap(), made);
    assert!(!format!("{made:?}").contains(&made.secret_key));
    let file = vfs.open(path).unwrap();
    file.set_length(3).unwrap();
    assert!(matches!(Credentials::load_or_create(&vfs, path), Err(CredentialsError::Invalid { .. })));
}

/// The answer comes before the body is read, and is not lost to a client that reads it after it has sent everything.
#[tokio::test]
async fn a_refused_upload_is_told_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(Simulated::new(1));
    let credentials = Credentials::load_or_create(&vfs, Path::new("/s3.json")).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move { stopped.await.unwrap_or_default() };
    let server = tokio::spawn(serve(listener, store().await, credentials, Settings::default(), stopped));
    let mut client = TcpStream::connect(address).await.unwrap();
    let body = vec![b'x'; 16 << 20];
    let head = format!("PUT /films/1 HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n", body.len());
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&body).await.expect("all that it sends is taken in");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("requests must be signed"), "{answer}");
    stop.send(()).unwrap();
    server.await.unwrap();
}
