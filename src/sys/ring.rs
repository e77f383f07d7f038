//! Many sends, or many receives, in one system call: `io_uring`.
//!
//! A proxy's requests are small, so that most of what one costs is entering the kernel, once to read
//! it and once to write its answer. With many connections ready at a time both can be asked for in one
//! go. Nothing is left under way: every piece is tried at once and fails at once if it would have
//! to wait, exactly as `send` and `recv` on a non-blocking socket do.
//!
//! Needs Linux 6.1 (`IORING_SETUP_DEFER_TASKRUN`) and permission: `kernel.io_uring_disabled` and the
//! filters of containers may forbid it.

use io_uring::squeue::Entry;
use io_uring::{IoUring, opcode, types};
use std::io;
use std::os::fd::RawFd;

/// Most pieces of one call.
pub const BATCH: usize = 32;
/// How often a call is repeated that the kernel interrupts or has no memory for.
const TRIES: usize = 64;

/// The two queues shared with the kernel. Belongs to the thread that made it.
pub struct Ring {
    /// `None` once the kernel has left entries in them: those point to memory that may be freed.
    ring: Option<IoUring>,
    /// The pieces of the call under way. They are all here before the first is handed to the kernel: the
    /// iterator may panic, and must not leave anything behind in the queues then.
    entries: Vec<Entry>,
    /// The result of each piece: a count of bytes, or an error's number, negated.
    results: [i32; BATCH],
}

impl Ring {
    /// Makes the queues.
    ///
    /// # Errors
    /// The kernel has no such calls, or this process may not use them.
    pub fn new() -> io::Result<Ring> {
        let ring = IoUring::builder()
            .dontfork()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(BATCH as u32)?;
        Ok(Ring {
            ring: Some(ring),
            entries: Vec::with_capacity(BATCH),
            results: [0; BATCH],
        })
    }

    /// Sends each piece on its socket, as far as the kernel takes it without waiting. The results are
    /// those of `send`, in the order of the pieces; [`BATCH`] of them at most are tried.
    pub fn send<'a>(&mut self, pieces: impl Iterator<Item = (RawFd, &'a [u8])>) -> &[i32] {
        let entries = pieces.map(|(fd, bytes)| {
            opcode::Send::new(types::Fd(fd), bytes.as_ptr(), length(bytes.len()))
                .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                .build()
        });
        // SAFETY: the pieces are borrowed for `'a`, which outlives this call.
        unsafe { self.submit(entries) }
    }

    /// Receives from each socket into its room what has arrived there. The results are those of
    /// `recv`, in the order of the rooms; [`BATCH`] of them at most are tried.
    pub fn receive<'a>(&mut self, rooms: impl Iterator<Item = (RawFd, &'a mut [u8])>) -> &[i32] {
        let entries = rooms.map(|(fd, room)| {
            opcode::Recv::new(types::Fd(fd), room.as_mut_ptr(), length(room.len()))
                .flags(libc::MSG_DONTWAIT)
                .build()
        });
        // SAFETY: the rooms are borrowed for `'a`, which outlives this call, each by its own entry.
        unsafe { self.submit(entries) }
    }

    /// Hands the entries to the kernel and waits until each has its result: that of one the kernel
    /// would not take is `EINTR`, "try again".
    ///
    /// # Safety
    /// The memory that entries point to lives, and is not otherwise used, until this returns. (Entries
    /// are finished then: `MSG_DONTWAIT` leaves nothing to be waited for.)
    unsafe fn submit(&mut self, entries: impl Iterator<Item = Entry>) -> &[i32] {
        self.entries.clear();
        let numbered = entries.take(BATCH).zip(0..);
        self.entries
            .extend(numbered.map(|(entry, number)| entry.user_data(number)));
        let count = self.entries.len();
        self.results = [-libc::EINTR; BATCH];
        let mut done = 0;
        if let Some(ring) = &mut self.ring {
            // SAFETY: as this function asks of its caller. Nothing between here and the last completion
            // calls what is not this module's or the crate's.
            let pushed = unsafe { ring.submission().push_multiple(&self.entries) };
            if pushed.is_err() {
                // There is room for as many as there are results, unless an earlier call left some.
                self.ring = None;
            }
        }
        for _ in 0..TRIES {
            let Some(ring) = self.ring.as_mut().filter(|_| done < count) else {
                break;
            };
            let _ = ring.submit_and_wait(count - done);
            for completion in ring.completion() {
                done += 1;
                if let Some(result) = self.results.get_mut(completion.user_data() as usize) {
                    *result = completion.result();
                }
            }
        }
        if done < count {
            self.ring = None;
        }
        self.results.get(..count).unwrap_or_default()
    }

    /// Returns true if the kernel has not taken something: nothing will be sent or received any more.
    pub fn is_spent(&self) -> bool {
        self.ring.is_none()
    }
}

/// A length as the kernel wants it; what is longer is sent or received in part.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// `None` where the kernel or a container's filter has no such calls.
    fn ring() -> Option<Ring> {
        let ring = Ring::new();
        if let Err(error) = &ring {
            eprintln!("skipped: no io_uring here: {error}");
        }
        ring.ok()
    }

    fn pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        ours.set_nonblocking(true).expect("non-blocking");
        (ours, theirs)
    }

    #[test]
    fn many_sockets_are_written_and_read_in_one_call_each() {
        let Some(mut ring) = ring() else { return };
        let mut pairs: Vec<_> = (0..5).map(|_| pair()).collect();
        let pieces = pairs
            .iter()
            .map(|(ours, _)| (ours.as_raw_fd(), &b"+PONG\r\n"[..]));
        assert_eq!(ring.send(pieces), [7; 5]);
        for (_, theirs) in &mut pairs {
            let mut got = [0; 7];
            theirs.read_exact(&mut got).expect("what was sent");
            assert_eq!(&got, b"+PONG\r\n");
            theirs.write_all(b"PING\r\n").expect("written");
        }
        let mut landing = [0; 5 * 16];
        let rooms = pairs.iter().zip(landing.chunks_mut(16));
        let results = ring.receive(rooms.map(|((ours, _), room)| (ours.as_raw_fd(), room)));
        assert_eq!(results, [6; 5]);
        assert!(landing.chunks(16).all(|room| room.starts_with(b"PING\r\n")));
        assert!(!ring.is_spent());
    }

    #[test]
    fn a_socket_that_would_block_or_has_ended_says_so_as_recv_does() {
        let Some(mut ring) = ring() else { return };
        let (silent, _silent) = pair();
        let (ended, theirs) = pair();
        drop(theirs);
        let (mut one, mut other) = ([0; 16], [0; 16]);
        let rooms = [
            (silent.as_raw_fd(), &mut one[..]),
            (ended.as_raw_fd(), &mut other[..]),
            (-1, &mut []),
        ];
        assert_eq!(
            ring.receive(rooms.into_iter()),
            [-libc::EAGAIN, 0, -libc::EBADF]
        );
        let piece = [(ended.as_raw_fd(), &b"x"[..])];
        assert_eq!(ring.send(piece.into_iter()), [-libc::EPIPE]);
    }

    #[test]
    fn what_a_full_socket_takes_is_what_is_reported() {
        let Some(mut ring) = ring() else { return };
        let (ours, mut theirs) = pair();
        let bytes = vec![b'x'; 4 << 20];
        let [sent] = *ring.send([(ours.as_raw_fd(), &bytes[..])].into_iter()) else {
            panic!("one piece, one result");
        };
        assert!((1..4 << 20).contains(&sent), "{sent}");
        drop(ours);
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).expect("the rest");
        assert_eq!(got.len(), sent as usize);
    }

    #[test]
    fn once_spent_it_asks_for_everything_to_be_done_again() {
        let Some(mut ring) = ring() else { return };
        ring.ring = None;
        let (ours, _theirs) = pair();
        let piece = [(ours.as_raw_fd(), &b"x"[..])];
        assert_eq!(ring.send(piece.into_iter()), [-libc::EINTR]);
        assert!(ring.is_spent());
    }

    /// What had been handed over before a panic was sent by the next call, from memory that may have been
    /// given back.
    #[test]
    fn what_panics_between_two_pieces_leaves_nothing_behind() {
        let Some(mut ring) = ring() else { return };
        let (ours, mut theirs) = pair();
        let fd = ours.as_raw_fd();
        let early = vec![b'e'; 5];
        let pieces = (0..3).map(|n| match n {
            2 => panic!("no third piece"),
            _ => (fd, &early[..]),
        });
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ring.send(pieces);
        }));
        assert!(caught.is_err());
        drop(early);
        assert_eq!(ring.send([(fd, &b"later"[..])].into_iter()), [5]);
        drop(ours);
        let mut got = String::new();
        theirs.read_to_string(&mut got).expect("what was sent");
        assert_eq!(got, "later");
    }

    /// Yields more than it says.
    #[test]
    fn what_lies_about_its_length_is_cut_at_a_batch() {
        struct Liar<'a>(RawFd, &'a [u8]);
        impl<'a> Iterator for Liar<'a> {
            type Item = (RawFd, &'a [u8]);
            fn next(&mut self) -> Option<Self::Item> {
                Some((self.0, self.1))
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                (usize::MAX, Some(0))
            }
        }
        let Some(mut ring) = ring() else { return };
        let (ours, mut theirs) = pair();
        assert_eq!(ring.send(Liar(ours.as_raw_fd(), b"x")), [1; BATCH]);
        drop(ours);
        let mut got = String::new();
        theirs.read_to_string(&mut got).expect("what was sent");
        assert_eq!(got, "x".repeat(BATCH));
    }

    #[test]
    fn more_pieces_than_a_batch_are_left_to_the_next_call() {
        let Some(mut ring) = ring() else { return };
        let (ours, _theirs) = pair();
        let piece = (ours.as_raw_fd(), &b"x"[..]);
        assert_eq!(ring.send(std::iter::repeat_n(piece, 40)).len(), BATCH);
        assert!(ring.send(std::iter::empty()).is_empty());
    }
}
