//! Connections: how many, how long they may take, what happens to them when the daemon stops. HTTP/1
//! only, over TLS where that is configured. Knows no path; a handler that panics costs its own request a 500, never the connection.
//!
//! Deadlines are kept by a coarse tick for each connection that looks whether anything changed since
//! the last one, so a request pays for two atomic writes and no timer; they are late by one tick at most.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::Service;

use super::Limits;
use super::error::Problem;
use crate::tls::{ClientChain, TlsConfiguration};

mod handshake;

/// Longest wait for requests in flight once the daemon is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after `accept` failed for want of something (file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Ticks in the shortest deadline of a connection.
const TICKS: u32 = 4;
/// Of a request's headers, the first line included; past it the answer is 431. At most 100 of them.
const HEADER_BYTES_MAX: usize = 32 * 1_024;
/// Between two lines in the log about too many connections.
const CROWDED_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// An address that cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Takes all of these addresses.
///
/// # Errors
/// When one of them cannot be taken.
pub async fn bind(addresses: impl IntoIterator<Item = &SocketAddr>) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::new();
    for &address in addresses {
        let bound = TcpListener::bind(address).await;
        listeners.push(bound.map_err(|source| BindError { address, source })?);
    }
    Ok(listeners)
}

/// Serves on each of these until `stop` turns true, as [`serve`] does; the limits hold for each.
pub async fn serve_all(
    listeners: Vec<TcpListener>,
    tls: TlsConfiguration,
    app: Router,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let mut serving = JoinSet::new();
    for listener in listeners {
        let mut stop = stop.clone();
        serving.spawn(serve(listener, tls.clone(), app.clone(), limits, async move {
            // An error means that the sender is gone, which is a stop as well.
            let _ = stop.wait_for(|is_stopping| *is_stopping).await;
        }));
    }
    while serving.join_next().await.is_some() {}
}

/// Serves until `shutdown` ends, then lets requests in flight finish, for [`DRAIN_TIMEOUT`] at most.
pub async fn serve(
    listener: TcpListener,
    tls: TlsConfiguration,
    app: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let slots = Slots::new(&limits);
    let (stop, stopping) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            // Over the limit nothing is accepted: the kernel's queue holds the next ones back.
            let slot = slots.next().await;
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            // The peer left while it waited in the queue.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => continue,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers should not wait for more bytes; a socket that refuses still works.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            app: app.clone(),
            limits,
            stopping: stopping.clone(),
            is_crowded: slots.is_crowded.clone(),
            begun: Instant::now(),
        };
        let tls = tls.borrow().clone();
        tokio::spawn(async move {
            match tls {
                Some(tls) => connection.secure(stream, tls).await,
                None => connection.serve(stream, None).await,
            }
            drop(slot);
        });
    }
    drop(listener);
    stop.send_replace(true);
    if tokio::time::timeout(DRAIN_TIMEOUT, slots.all()).await.is_err() {
        tracing::warn!("requests in flight did not finish in time and are cut off");
    }
}

/// Places for connections.
struct Slots {
    count: u32,
    free: Arc<Semaphore>,
    /// Set while none is free: those that use theirs for nothing then give it up.
    is_crowded: Arc<AtomicBool>,
    said_at: Mutex<Option<Instant>>,
}

impl Slots {
    fn new(limits: &Limits) -> Self {
        let count = limits.connections_max.clamp(1, u32::MAX as usize) as u32;
        Self {
            count,
            free: Arc::new(Semaphore::new(count as usize)),
            is_crowded: Arc::default(),
            said_at: Mutex::default(),
        }
    }

    async fn next(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(slot) = self.free.clone().try_acquire_owned() {
            return Some(slot);
        }
        self.is_crowded.store(true, Ordering::Relaxed);
        self.say_crowded();
        let slot = self.free.clone().acquire_owned().await.ok();
        self.is_crowded.store(false, Ordering::Relaxed);
        slot
    }

    fn say_crowded(&self) {
        let mut said_at = self.said_at.lock();
        if said_at.is_none_or(|said_at| said_at.elapsed() >= CROWDED_AGAIN_AFTER) {
            *said_at = Some(Instant::now());
            tracing::warn!(
                connections_max = self.count,
                "as many connections as allowed are open: the next ones wait, and idle ones are closed for them"
            );
        }
    }

    /// Waits until every connection is gone.
    async fn all(&self) {
        let _ = self.free.acquire_many(self.count).await;
    }
}

/// What one connection needs besides its stream.
struct Connection {
    app: Router,
    limits: Limits,
    stopping: watch::Receiver<bool>,
    is_crowded: Arc<AtomicBool>,
    begun: Instant,
}

impl Connection {
    /// The handshake, within the time that the first request's headers have, and then as without it.
    async fn secure(mut self, stream: TcpStream, tls: Arc<ServerConfig>) {
        let stopping = self.stopping.wait_for(|is_stopping| *is_stopping);
        let secured = tokio::select! {
            secured = tokio::time::timeout(self.limits.header_timeout.to_std(), handshake::secure(stream, tls)) => secured,
            _ = stopping => return,
        };
        if let Ok(Some((stream, client))) = secured {
            self.serve(stream, client).await;
        }
    }

    async fn serve<S>(mut self, stream: S, client: Option<ClientChain>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let phase = Arc::new(Phase::new());
        let request_timeout = self.limits.request_timeout.to_std();
        let app = self.app;
        let service = service_fn(|mut request: Request<Incoming>| {
            let (app, phase) = (app.clone(), phase.clone());
            if let Some(client) = &client {
                request.extensions_mut().insert(client.clone());
            }
            async move {
                phase.set(Phase::BUSY);
                let response = answer(app, request, request_timeout).await;
                phase.set(Phase::IDLE);
                Ok::<_, Infallible>(response)
            }
        });
        let io = TokioIo::new(Watched { stream, phase: phase.clone() });
        let mut http = http1::Builder::new();
        http.header_read_timeout(None).max_header_size(HEADER_BYTES_MAX);
        let mut connection = pin!(http.serve_connection(io, service));

        let (header_timeout, idle_timeout) = (self.limits.header_timeout.to_std(), self.limits.idle_timeout.to_std());
        let tick = (header_timeout.min(idle_timeout) / TICKS).max(Duration::from_millis(1));
        let mut seen = phase.get();
        // A handshake has used up some of the time for the first headers.
        let mut unchanged = self.begun.elapsed();
        let mut next_tick = pin!(tokio::time::sleep(tick));
        let mut is_ending = *self.stopping.borrow();
        if is_ending {
            connection.as_mut().graceful_shutdown();
        }
        loop {
            tokio::select! {
                // An error here is the peer's: it went away, or what it sent is no HTTP.
                _ = connection.as_mut() => return,
                _ = self.stopping.wait_for(|is_stopping| *is_stopping), if !is_ending => {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = next_tick.as_mut() => {
                    next_tick.set(tokio::time::sleep(tick));
                    let current = phase.get();
                    unchanged = if current == seen { unchanged + tick } else { Duration::ZERO };
                    seen = current;
                    // Others wait for this place.
                    let is_crowded = self.is_crowded.load(Ordering::Relaxed);
                    let (ends_after, cut_after) =
                        if is_crowded { (tick, header_timeout) } else { (idle_timeout, idle_timeout) };
                    match current & Phase::MASK {
                        Phase::HEAD if unchanged >= header_timeout => return,
                        // The first time it is asked to end, the next time it is cut: it may be stuck
                        // in writing an answer that nobody reads.
                        Phase::IDLE if is_ending && unchanged >= cut_after => return,
                        Phase::IDLE if !is_ending && unchanged >= ends_after => {
                            is_ending = true;
                            connection.as_mut().graceful_shutdown();
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

/// One answer, whatever the handler does: too slow, or a panic.
async fn answer(mut app: Router, request: Request<Incoming>, request_timeout: Duration) -> Response {
    let mut handled = pin!(app.call(request.map(Body::new)));
    let guarded = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| handled.as_mut().poll(context))) {
        Ok(poll) => poll,
        Err(_) => {
            // The panic's own message has gone to stderr already.
            tracing::error!("a handler panicked; its request was answered 500");
            Poll::Ready(Ok(Problem::internal().into_response()))
        }
    });
    match tokio::time::timeout(request_timeout, guarded).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            let detail = format!("no answer was ready within {} s of the request", request_timeout.as_secs());
            Problem::timed_out(detail).into_response()
        }
    }
}

/// What a connection is doing, and a count of the changes above it, so that an equal value means
/// that nothing happened in between.
struct Phase(AtomicU32);

impl Phase {
    /// Answered, and nothing of the next request has come.
    const IDLE: u32 = 0;
    /// A request has begun, or the first one is due.
    const HEAD: u32 = 1;
    /// A handler is at work; the request's own deadline holds.
    const BUSY: u32 = 2;
    const MASK: u32 = 3;

    const fn new() -> Self {
        Self(AtomicU32::new(Self::HEAD))
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only the connection's own task calls this, so load and store need no exchange.
    fn set(&self, phase: u32) {
        let changes = (self.get() & !Self::MASK).wrapping_add(Self::MASK + 1);
        self.0.store(changes | phase, Ordering::Relaxed);
    }
}

/// The stream, telling when the first bytes of a request come.
struct Watched<S> {
    stream: S,
    phase: Arc<Phase>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before && self.phase.get() & Phase::MASK == Phase::IDLE {
            self.phase.set(Phase::HEAD);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
