//! What is made of the results of a batch.

use super::*;
use proptest::prelude::*;
use socket2::SockRef;
use std::os::unix::net::UnixStream;

/// Two ends of a connection: this one's, and the other one.
fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, theirs)
}

fn all_that_came(theirs: &mut UnixStream, ours: UnixStream) -> Vec<u8> {
    drop(ours);
    let mut got = Vec::new();
    theirs.read_to_end(&mut got).unwrap();
    got
}

/// How many bytes wait in the kernel.
fn unread(stream: &UnixStream) -> usize {
    let mut room = [const { std::mem::MaybeUninit::uninit() }; 4096];
    SockRef::from(stream).peek(&mut room).unwrap_or(0)
}

#[test]
fn a_write_that_is_done_is_reported_once_and_the_next_goes_to_the_socket() {
    // What the ring has sent of the first slice; there is a second slice by now, or none.
    for sent in 1..=5 {
        for parts in [1, 2] {
            let (mut stream, mut theirs) = pair();
            let (first, second) = (b"first", b"second");
            let mut done = Done {
                first: Some(sent),
                stream: &mut stream,
            };
            let slices = [IoSlice::new(first), IoSlice::new(second)];
            let reported = match parts {
                1 => done.write(first).unwrap(),
                _ => done.write_vectored(&slices).unwrap(),
            };
            assert_eq!(reported, sent as usize);
            // The rest, as the node goes on.
            assert_eq!(done.write(b"the rest").unwrap(), 8);
            assert_eq!(done.write_vectored(&slices).unwrap(), 11);
            assert_eq!(all_that_came(&mut theirs, stream), b"the restfirstsecond");
        }
    }
}

#[test]
fn a_write_that_failed_is_reported_once() {
    for (result, kind) in [
        (-libc::EAGAIN, io::ErrorKind::WouldBlock),
        (-libc::EPIPE, io::ErrorKind::BrokenPipe),
        (-libc::EINTR, io::ErrorKind::Interrupted),
    ] {
        let (mut stream, mut theirs) = pair();
        let mut done = Done {
            first: Some(result),
            stream: &mut stream,
        };
        assert_eq!(done.write(b"x").unwrap_err().kind(), kind);
        assert_eq!(done.write(b"y").unwrap(), 1);
        assert_eq!(all_that_came(&mut theirs, stream), b"y");
    }
}

#[test]
fn a_read_that_failed_is_reported_as_it_failed() {
    let (mut stream, mut theirs) = pair();
    theirs.write_all(b"later").unwrap();
    let room = [0; 16];
    for (result, kind) in [
        (-libc::EAGAIN, io::ErrorKind::WouldBlock),
        (-libc::ECONNRESET, io::ErrorKind::ConnectionReset),
        (-libc::EINTR, io::ErrorKind::Interrupted),
    ] {
        let mut ahead = Ahead::new(result, &room, &mut stream);
        assert_eq!(ahead.read(&mut [0; 16]).unwrap_err().kind(), kind);
        assert_eq!(ahead.rest(), b"");
    }
    let mut ended = Ahead::new(0, &room, &mut stream);
    assert_eq!(ended.read(&mut [0; 16]).unwrap(), 0);
}

/// A stream whose next read is interrupted.
struct Interrupted<'a>(&'a [u8], bool);

impl Read for Interrupted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match std::mem::take(&mut self.1) {
            true => Err(io::ErrorKind::Interrupted.into()),
            false => self.0.read(out),
        }
    }
}

/// The client waited for the rest of its request to be read, and was closed for it.
#[test]
fn an_interruption_behind_what_was_read_ahead_leaves_nothing_in_the_kernel() {
    let mut stream = Interrupted(b" and the rest", true);
    let mut out = [0; 64];
    let read = Ahead::new(5, b"begun", &mut stream).read(&mut out).unwrap();
    assert_eq!(&out[..read], b"begun and the rest");
}

proptest! {
    /// However much the reader takes at a time, it gets what was read ahead and then what the socket has, each byte
    /// once. A read that does not fill its room means that nothing is left in the kernel: no event would tell of it.
    #[test]
    fn what_was_read_ahead_comes_first_and_once(
        ahead in 1usize..200,
        room in 1usize..200,
        behind in 0usize..200,
        takes in proptest::collection::vec((1usize..150, 0usize..60, any::<bool>()), 1..12),
    ) {
        let (mut stream, mut theirs) = pair();
        let room_size = room.max(ahead);
        // More than fits into the room is there only if the room is full.
        let behind = if ahead == room_size { behind } else { 0 };
        let text: Vec<u8> = (0..ahead + behind).map(|i| (i * 7 + i / 251) as u8).collect();
        let mut landing = vec![0; room_size];
        landing[..ahead].copy_from_slice(&text[..ahead]);
        theirs.write_all(&text[ahead..]).unwrap();
        let (mut got, mut left) = (Vec::new(), None);
        for (first, second, goes_on) in takes.into_iter().chain([(500, 0, false)]) {
            let mut reader = match &left {
                None => Ahead::new(ahead as i32, &landing, &mut stream),
                Some(bytes) if !Vec::is_empty(bytes) => Ahead::of(bytes, &mut stream),
                Some(_) => break,
            };
            // The node reads once, or again at once.
            for _ in 0..1 + usize::from(goes_on) {
                let (mut one, mut other) = (vec![0; first], vec![0; second]);
                let parts = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
                let Ok(n) = reader.read_vectored(parts) else { break };
                got.extend([one, other].concat().into_iter().take(n));
                if n < first + second {
                    prop_assert!(reader.rest().is_empty());
                    prop_assert_eq!(unread(reader.stream), 0, "and no event will tell");
                }
            }
            let rest = reader.rest().to_vec();
            left = Some(rest);
        }
        stream.read_to_end(&mut got).unwrap_err();
        prop_assert_eq!(got, text);
    }
}
