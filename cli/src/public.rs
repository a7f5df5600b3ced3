//! Requests to the data plane's port, as any client makes them. Names under `localhost` are loopback here too, also
//! where the machine's resolver does not know them.

use crate::failure::{Exit, Failure, code};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends one request and reads the whole answer.
pub(crate) async fn send(request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure> {
    let (mut head, body) = request.into_parts();
    let invalid = |what: &str| Failure::invalid(code::INPUT, format!("{} is no http URL: {what}", head.uri));
    if head.uri.scheme_str().is_some_and(|scheme| scheme != "http") {
        return Err(invalid("only http is spoken here"));
    }
    let authority = head.uri.authority().ok_or_else(|| invalid("it names no host"))?.clone();
    let unreachable = |e: &dyn std::error::Error| {
        Failure::new(Exit::Unreachable, code::UNREACHABLE, format!("{authority} does not answer")).because(e)
    };
    let address = (dialled(authority.host()), authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await.map_err(|e| unreachable(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreachable(&e))?;
    head.headers
        .insert(header::HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| invalid("its host is no header"))?);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    head.uri = path.parse().map_err(|_| Failure::invalid(code::INPUT, format!("{path:?} is no path")))?;
    let exchange = async {
        let response = sender.send_request(Request::from_parts(head, Full::new(Bytes::from(body)))).await?;
        let (head, body) = response.into_parts();
        Ok::<_, hyper::Error>(Response::from_parts(head, body.collect().await?.to_bytes().to_vec()))
    };
    // The connection is driven here, beside the exchange: it ends with it.
    tokio::select! {
        answer = exchange => answer.map_err(|e| unreachable(&e)),
        ended = connection => Err(ended.err().map_or_else(
            || Failure::new(Exit::Unreachable, code::UNREACHABLE, format!("{authority} closed the connection")),
            |e| unreachable(&e),
        )),
    }
}

fn dialled(host: &str) -> &str {
    if host == "localhost" || host.ends_with(".localhost") { "127.0.0.1" } else { host.trim_matches(['[', ']']) }
}
