//! From a TCP connection to a TLS one. A client that speaks plain HTTP to the TLS port is told so in
//! words; everything else that is no handshake ends the connection.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::ClientChain;

/// Bytes of a plain request that are read on and dropped, so that the answer reaches its sender.
const DISCARD_BYTES_MAX: u64 = 256 * 1_024;

/// 426 and not 400: senders that know the difference try again, and reach us once their address is put right.
const SPEAK_TLS: &str = "HTTP/1.1 426 Upgrade Required\r\n\
    upgrade: TLS/1.2\r\nconnection: upgrade, close\r\n\
    content-type: application/problem+json\r\n\r\n\
    {\"type\":\"urn:watchbell:problem:tls-required\",\"title\":\"plain HTTP on a TLS port\",\"status\":426,\
    \"detail\":\"this port speaks TLS: the address begins with `https://`\"}";

/// Nothing when no handshake comes about. Takes as long as the client does; the caller has the clock.
pub(super) async fn secure(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
) -> Option<(TlsStream<TcpStream>, Option<ClientChain>)> {
    match handshake(stream, tls).await {
        Ok(secured) => secured,
        // Scanners, health checks that only connect, clients that do not trust our certificate.
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
    }
}

async fn handshake(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
) -> io::Result<Option<(TlsStream<TcpStream>, Option<ClientChain>)>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A method begins with a letter, a handshake with the byte 22.
    if first[0].is_ascii_uppercase() {
        return refuse_plain(stream).await.map(|()| None);
    }
    let stream = TlsAcceptor::from(tls).accept(stream).await?;
    let (_, session) = stream.get_ref();
    let client = session
        .peer_certificates()
        .map(|chain| ClientChain(chain.iter().map(|der| der.clone().into_owned()).collect()));
    Ok(Some((stream, client)))
}

async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(SPEAK_TLS.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with something unread would take the answer back.
    tokio::io::copy(&mut stream.take(DISCARD_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}
