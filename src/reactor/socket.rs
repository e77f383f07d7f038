//! A connected socket, TCP or Unix.

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

/// A connected stream.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

/// Runs an expression on whichever stream it is.
macro_rules! either {
    ($self:ident, $stream:ident => $body:expr) => {
        match $self {
            Stream::Tcp($stream) => $body,
            Stream::Unix($stream) => $body,
        }
    };
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => stream.read(out))
    }

    #[inline]
    fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.read_vectored(parts))
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.write(bytes))
    }

    #[inline]
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.write_vectored(parts))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        either!(self, stream => stream.as_raw_fd())
    }
}

impl Stream {
    /// The error a connection attempt or the peer left behind.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        either!(self, stream => stream.take_error())
    }

    /// Our end; nothing for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(tcp) => tcp.local_addr().ok(),
            Stream::Unix(_) => None,
        }
    }

    /// The other end; nothing for a Unix socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(tcp) => tcp.peer_addr().ok(),
            Stream::Unix(_) => None,
        }
    }

    /// Returns whether the connection attempt has succeeded.
    pub fn is_connected(&self) -> bool {
        either!(self, stream => stream.peer_addr().is_ok())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        either!(self, stream => stream.shutdown(Shutdown::Write))
    }

    /// Closes the socket so that the peer receives everything written to it: bytes of the peer left unread at
    /// `close` would make the kernel send a reset, which discards them.
    pub fn close(mut self) {
        if self.shutdown_write().is_ok() {
            let mut sink = [0; 4096];
            // Bounded: a peer that keeps sending gets its reset.
            for _ in 0..64 {
                match self.read(&mut sink) {
                    Ok(n) if n > 0 => {}
                    _ => break,
                }
            }
        }
    }
}

impl Stream {
    /// Registers it once, for both directions, edge-triggered; it is never re-registered.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Stream::Tcp(tcp) => registry.register(tcp, token, both),
            Stream::Unix(unix) => registry.register(unix, token, both),
        }
    }
}
