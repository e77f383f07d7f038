//! A listening socket.

use super::socket::Stream;
use crate::config::Endpoint;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockAddr, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After how long of silence an accepted connection is probed, and how often then.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A listening socket, TCP or Unix. A Unix socket's path is removed when it is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// Name in the log.
    pub name: String,
    /// There may be connections to accept; no edge will say so again.
    pub ready: bool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Opens a listening socket, which the log calls `name`, and registers it. `backlog` is the length of the kernel's queue of
    /// connections not accepted yet.
    ///
    /// # Errors
    /// A name that does not resolve, an address in use or not local, a path that is not a socket.
    pub fn open(
        name: &str,
        endpoint: &Endpoint,
        backlog: u32,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Listener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        let mut socket = match endpoint {
            Endpoint::Tcp { .. } => Socket::Tcp(tcp(endpoint, backlog)?),
            Endpoint::Unix(path) => Socket::Unix(unix(path, backlog)?, path.clone()),
        };
        match &mut socket {
            Socket::Tcp(tcp) => registry.register(tcp, token, Interest::READABLE),
            Socket::Unix(unix, _) => registry.register(unix, token, Interest::READABLE),
        }?;
        Ok(Listener {
            socket,
            name: name.to_owned(),
            ready: false,
        })
    }

    /// Accepts one connection, set up for small messages.
    pub fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.socket {
            Socket::Tcp(tcp) => {
                let (stream, addr) = tcp.accept()?;
                // Fails if the client is gone already, which reading finds out.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Some(addr)))
            }
            Socket::Unix(unix, _) => Ok((Stream::Unix(unix.accept()?.0), None)),
        }
    }

    /// The address the kernel gave, for a port of 0; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(tcp) => tcp.local_addr().ok(),
            Socket::Unix(..) => None,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.socket {
            // Gone already is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// On the first of the name's addresses that this machine has: `localhost` may stand for one of an
/// IPv6 that is switched off.
fn tcp(endpoint: &Endpoint, backlog: i32) -> io::Result<TcpListener> {
    let mut first = None;
    for addr in endpoint.resolve()? {
        match tcp_at(addr, backlog) {
            Ok(listener) => return Ok(listener),
            Err(error) => first.get_or_insert(error),
        };
    }
    Err(first.unwrap_or(io::ErrorKind::AddrNotAvailable.into()))
}

fn tcp_at(addr: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it on Linux: a peer that vanished without closing does not stay for the
    // two hours of the system's own setting.
    let probes = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(backlog)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn unix(path: &Path, backlog: i32) -> io::Result<UnixListener> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the path exists and is not a socket",
            ));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        // Left behind by a process that is no more.
        std::fs::remove_file(path)?;
    }
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog)?;
    Ok(UnixListener::from_std(
        std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(socket)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;

    #[test]
    fn an_accepted_connection_is_probed_when_it_is_silent() {
        let listener = tcp_at(([127, 0, 0, 1], 0).into(), 8).unwrap();
        let addr = listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(addr).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
    }
}
