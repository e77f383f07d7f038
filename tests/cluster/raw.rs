//! The peers' protocol, written and read by hand.

use crate::common::{PATIENCE, shown};
use openssl::rsa::{Padding, Rsa};
use openssl::symm::{Cipher, decrypt, encrypt};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

/// Plaintext of one encrypted piece, with the default `mbuf_size`.
const PIECE: usize = 16_384 - 64;

/// Types of messages.
pub const REQUEST: u32 = 3;
pub const FORWARD: u32 = 4;
pub const REPLY: u32 = 5;

/// A message as the original writes it.
pub fn message(id: u64, kind: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("   $2014$ {id} {kind} 0 1 1 *1 d *{}\r\n", payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// A session key: 16 bytes that are used, and 16 that travel with them.
#[derive(Clone, Copy)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The same, encrypted with the key of the cluster.
    pub fn wrapped(&self, pem: &Path) -> Vec<u8> {
        let rsa = rsa(pem);
        let mut out = vec![0; rsa.size() as usize];
        rsa.public_encrypt(&self.0, &mut out, Padding::PKCS1_OAEP)
            .expect("it is short enough");
        out
    }

    /// What a peer has wrapped.
    pub fn unwrap(wrapped: &[u8], pem: &Path) -> Key {
        let mut out = vec![0; wrapped.len()];
        let len = rsa(pem)
            .private_decrypt(wrapped, &mut out, Padding::PKCS1_OAEP)
            .expect("wrapped with this key");
        Key(out[..len].try_into().expect("32 bytes"))
    }

    pub fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let aes = &self.0[..16];
        plain
            .chunks(PIECE)
            .flat_map(|piece| encrypt(Cipher::aes_128_cbc(), aes, Some(aes), piece).expect("AES"))
            .collect()
    }

    pub fn open(&self, sealed: &[u8]) -> Vec<u8> {
        let aes = &self.0[..16];
        sealed
            .chunks(PIECE + 16)
            .flat_map(|piece| decrypt(Cipher::aes_128_cbc(), aes, Some(aes), piece).expect("AES"))
            .collect()
    }

    /// An encrypted request; the first carries the key.
    pub fn request(&self, id: u64, wrapped: Option<&[u8]>, payload: &[u8]) -> Vec<u8> {
        let sealed = self.seal(payload);
        let data = wrapped.unwrap_or(b"d");
        let mut out = format!("   $2014$ {id} 3 1 1 1 *{} ", data.len()).into_bytes();
        out.extend_from_slice(data);
        out.extend_from_slice(format!(" *{}\r\n", sealed.len()).as_bytes());
        out.extend_from_slice(&sealed);
        out
    }
}

fn rsa(pem: &Path) -> Rsa<openssl::pkey::Private> {
    let text = std::fs::read(pem).expect("the key file");
    Rsa::private_key_from_pem(&text).expect("a key")
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: u64,
    pub kind: u32,
    pub encrypted: bool,
    pub same_dc: bool,
    pub data: Vec<u8>,
    pub payload: Vec<u8>,
}

/// One end of a connection between peers.
pub struct Peer(BufReader<TcpStream>);

impl Peer {
    pub fn connect(addr: SocketAddr) -> Peer {
        Peer::over(TcpStream::connect(addr).expect("the node listens for peers"))
    }

    /// The node's next connection.
    pub fn accept(listener: &TcpListener) -> Peer {
        socket2::SockRef::from(listener)
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket");
        Peer::over(listener.accept().expect("the node connects").0)
    }

    /// The same, when the configuration says that this is the original.
    pub fn accept_as_original(listener: &TcpListener) -> Peer {
        let mut peer = Peer::accept(listener);
        let probe = peer.message();
        assert_eq!(shown(&probe.payload), "*1\\r\\n$4\\r\\nPING\\r\\n");
        peer.send(&message(probe.id, REPLY, b"+PONG\r\n"));
        peer
    }

    fn over(stream: TcpStream) -> Peer {
        stream.set_nodelay(true).expect("a stream");
        stream.set_read_timeout(Some(PATIENCE)).expect("a stream");
        stream.set_write_timeout(Some(PATIENCE)).expect("a stream");
        Peer(BufReader::new(stream))
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the node reads");
    }

    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Breaks the connection: the other side sees a reset, not an end of the stream.
    pub fn abort(self) {
        socket2::SockRef::from(self.0.get_ref())
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("a stream");
    }

    #[track_caller]
    pub fn message(&mut self) -> Message {
        self.try_message().expect("a message").expect("no end")
    }

    /// The next message; `None` at the end of the stream.
    pub fn try_message(&mut self) -> io::Result<Option<Message>> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        assert_eq!(shown(&head), "   $2014$");
        self.expect_byte(b' ')?;
        let id = self.number(b' ')?;
        let kind = self.number(b' ')? as u32;
        let bits = self.number(b' ')?;
        let version = self.number(b' ')?;
        assert!((1..=3).contains(&version));
        let same_dc = self.number(b' ')? == 1;
        self.expect_byte(b'*')?;
        let mut data = vec![0; self.number(b' ')? as usize];
        self.0.read_exact(&mut data)?;
        self.expect_byte(b' ')?;
        self.expect_byte(b'*')?;
        let mut payload = vec![0; self.number(b'\r')? as usize];
        self.expect_byte(b'\n')?;
        self.0.read_exact(&mut payload)?;
        Ok(Some(Message {
            id,
            kind,
            encrypted: bits == 1,
            same_dc,
            data,
            payload,
        }))
    }

    fn number(&mut self, end: u8) -> io::Result<u64> {
        let mut digits = Vec::new();
        self.0.read_until(end, &mut digits)?;
        let text = shown(&digits[..digits.len().saturating_sub(1)]);
        Ok(text
            .parse()
            .unwrap_or_else(|_| panic!("{text:?} is no number")))
    }

    fn expect_byte(&mut self, wanted: u8) -> io::Result<()> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        assert_eq!(byte[0], wanted, "{:?}", byte[0] as char);
        Ok(())
    }

    /// Ends our half.
    pub fn half_close(&self) {
        self.0
            .get_ref()
            .shutdown(std::net::Shutdown::Write)
            .expect("a stream");
    }
}
