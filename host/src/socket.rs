//! Connections of tokio for hyper.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of tokio as hyper wants it.
pub(crate) struct Socket<S>(pub(crate) S);

impl<S: AsyncRead + Unpin> hyper::rt::Read for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut to: ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        // Through a buffer of our own: that of hyper may be uninitialised, which safe code cannot hand on.
        let mut bytes = [0_u8; 8192];
        let most = to.remaining().min(bytes.len());
        let Some(room) = bytes.get_mut(..most) else { return Poll::Ready(Ok(())) };
        let mut buffer = ReadBuf::new(room);
        let read = Pin::new(&mut self.0).poll_read(cx, &mut buffer);
        if let Poll::Ready(Ok(())) = &read {
            to.put_slice(buffer.filled());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
