//! A provider of seeds that a test plays: an HTTP server with an answer that can be changed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An HTTP server on a port of its own; it lives as long as the test program.
#[derive(Clone)]
pub struct Florida {
    pub addr: SocketAddr,
    state: Arc<State>,
}

struct State {
    answer: Mutex<Answer>,
    asked: AtomicUsize,
    last: Mutex<String>,
}

#[derive(Clone)]
enum Answer {
    /// These bytes, then the end of the stream.
    Bytes(Vec<u8>),
    /// These bytes, and the connection stays open.
    Kept(Vec<u8>),
}

impl Florida {
    pub fn new(body: &str) -> Florida {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let florida = Florida {
            addr: listener.local_addr().expect("a bound socket"),
            state: Arc::new(State {
                answer: Mutex::new(Answer::Bytes(Vec::new())),
                asked: AtomicUsize::new(0),
                last: Mutex::default(),
            }),
        };
        florida.list(body);
        let state = Arc::clone(&florida.state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A connection kept open holds up no other.
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        florida
    }

    /// Answers as the server the original comes with.
    pub fn list(&self, body: &str) {
        self.bytes(&format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{body}"
        ));
    }

    /// Answers with these bytes and closes.
    pub fn bytes(&self, bytes: &str) {
        *self.state.answer.lock().expect("a lock") = Answer::Bytes(bytes.as_bytes().to_vec());
    }

    /// Answers with these bytes and does not close.
    pub fn kept(&self, bytes: &str) {
        *self.state.answer.lock().expect("a lock") = Answer::Kept(bytes.as_bytes().to_vec());
    }

    /// How often it has been asked.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// What it was asked last.
    pub fn last(&self) -> String {
        self.state.last.lock().expect("a lock").clone()
    }
}

fn serve(mut stream: std::net::TcpStream, state: &State) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(n) if n > 0 => request.push(byte[0]),
            _ => return,
        }
    }
    *state.last.lock().expect("a lock") = String::from_utf8_lossy(&request).into_owned();
    let answer = state.answer.lock().expect("a lock").clone();
    match answer {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes);
        }
        Answer::Kept(bytes) => {
            let _ = stream.write_all(&bytes);
            let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
            // Until the other side closes.
            let _ = stream.read(&mut byte);
        }
    }
    state.asked.fetch_add(1, Ordering::SeqCst);
}
