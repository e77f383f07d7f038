//! The output of the log: one `write` per line.

use crate::sys;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

/// How long a descriptor that another process made non-blocking may refuse a line.
const REFUSAL_MS: u16 = 100;

/// A file or stderr.
pub struct Output {
    /// `None` for descriptor 2, whatever is behind it by then: daemon mode points it elsewhere.
    file: Option<File>,
    /// A line was written in part, for want of room.
    torn: bool,
}

impl Output {
    /// Descriptor 2.
    pub fn stderr() -> Output {
        Output {
            file: None,
            torn: false,
        }
    }

    /// A file, open for appending.
    pub fn file(file: File) -> Output {
        Output {
            file: Some(file),
            torn: false,
        }
    }

    /// Writes one line, which ends in a line feed. Returns true if it was written whole. After a partial line
    /// it begins a new one.
    pub fn write(&mut self, line: &str) -> bool {
        let whole;
        let text = if self.torn {
            whole = format!("\n{line}");
            whole.as_bytes()
        } else {
            line.as_bytes()
        };
        let written = match &mut self.file {
            None => write(&mut io::stderr(), text),
            Some(file) => write(file, text),
        };
        if let Some(last) = text.get(..written).and_then(<[u8]>::last) {
            self.torn = *last != b'\n';
        }
        written == text.len()
    }
}

/// How many bytes could be written.
fn write(to: &mut (impl Write + AsFd), text: &[u8]) -> usize {
    let mut written = 0;
    while let Some(rest) = text.get(written..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => break,
            Ok(n) => written += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e)
                if e.kind() == ErrorKind::WouldBlock
                    && sys::poll_writable(to.as_fd(), REFUSAL_MS) => {}
            Err(_) => break,
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_line_after_a_torn_one_stands_by_itself() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut output = Output::file(File::from(OwnedFd::from(ours)));
        let long = "x".repeat(16 << 20) + "\n";
        assert!(!output.write(&long), "it does not fit");
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            theirs.read_to_string(&mut text).unwrap();
            text
        });
        while !output.write("whole\n") {}
        assert!(output.write("next\n"));
        drop(output);
        let text = reading.join().unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["whole", "next"]);
    }
}
