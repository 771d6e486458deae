//! Connections: how many, how long they may take, what happens to them when the daemon stops. HTTP/1
//! only. Knows no path; a handler that panics costs its own request a 500, never the connection.
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
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::Service;

use super::Limits;
use super::error::Problem;

/// Longest wait for requests in flight once the daemon is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after `accept` failed for want of something (file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Ticks in the shortest deadline of a connection.
const TICKS: u32 = 4;

/// Serves until `shutdown` ends, then lets requests in flight finish, for [`DRAIN_TIMEOUT`] at most.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, shutdown: impl Future<Output = ()>) {
    let connections_max = limits.connections_max.clamp(1, u32::MAX as usize) as u32;
    let slots = Arc::new(Semaphore::new(connections_max as usize));
    let (stop, stopping) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            // Over the limit nothing is accepted: the kernel's queue holds the next ones back.
            let slot = slots.clone().acquire_owned().await;
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
        let (app, stopping) = (app.clone(), stopping.clone());
        tokio::spawn(async move {
            connection(stream, app, limits, stopping).await;
            drop(slot);
        });
    }
    drop(listener);
    stop.send_replace(true);
    if tokio::time::timeout(DRAIN_TIMEOUT, slots.acquire_many(connections_max)).await.is_err() {
        tracing::warn!("requests in flight did not finish in time and are cut off");
    }
}

async fn connection(stream: TcpStream, app: Router, limits: Limits, mut stopping: watch::Receiver<bool>) {
    let phase = Arc::new(Phase::new());
    let request_timeout = limits.request_timeout.to_std();
    let service = service_fn(|request: Request<Incoming>| {
        let (app, phase) = (app.clone(), phase.clone());
        async move {
            phase.set(Phase::BUSY);
            let response = answer(app, request, request_timeout).await;
            phase.set(Phase::IDLE);
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(Watched { stream, phase: phase.clone() });
    let mut connection = pin!(http1::Builder::new().header_read_timeout(None).serve_connection(io, service));

    let (header_timeout, idle_timeout) = (limits.header_timeout.to_std(), limits.idle_timeout.to_std());
    let tick = (header_timeout.min(idle_timeout) / TICKS).max(Duration::from_millis(1));
    let mut seen = phase.get();
    let mut unchanged = Duration::ZERO;
    let mut next_tick = pin!(tokio::time::sleep(tick));
    let mut is_ending = *stopping.borrow();
    if is_ending {
        connection.as_mut().graceful_shutdown();
    }
    loop {
        tokio::select! {
            // An error here is the peer's: it went away, or what it sent is no HTTP.
            _ = connection.as_mut() => return,
            _ = stopping.wait_for(|is_stopping| *is_stopping), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = next_tick.as_mut() => {
                next_tick.set(tokio::time::sleep(tick));
                let current = phase.get();
                unchanged = if current == seen { unchanged + tick } else { Duration::ZERO };
                seen = current;
                match current & Phase::MASK {
                    Phase::HEAD if unchanged >= header_timeout => return,
                    // The first time it is asked to end, the next time it is cut: it may be stuck
                    // in writing an answer that nobody reads.
                    Phase::IDLE if unchanged >= idle_timeout => {
                        if is_ending {
                            return;
                        }
                        is_ending = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    _ => {}
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
struct Watched {
    stream: TcpStream,
    phase: Arc<Phase>,
}

impl AsyncRead for Watched {
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

impl AsyncWrite for Watched {
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
