//! The transport of a client: TCP, with or without TLS.

use std::io;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// How much TLS may hold unsent for one client, about. What is more waits in the outbox, where it
/// is counted.
const UNSENT: usize = 16 * 1024;

/// Boxed where it is large, so that those without TLS do not carry its weight.
pub(crate) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

pub(crate) async fn secure(socket: TcpStream, tls: &TlsAcceptor) -> io::Result<Stream> {
    let accept = tls.accept_with(socket, |session| session.set_buffer_limit(Some(UNSENT)));
    Ok(Stream::Right(Box::new(accept.await?)))
}
