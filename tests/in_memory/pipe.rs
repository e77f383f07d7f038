//! The node's end of a connection in memory.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

/// Gives out what it was filled with, and keeps what is written to it.
pub struct Pipe {
    input: Vec<u8>,
    at: usize,
    output: Vec<u8>,
}

impl Pipe {
    pub fn new() -> Pipe {
        Pipe {
            input: Vec::with_capacity(64 << 10),
            at: 0,
            output: Vec::with_capacity(64 << 10),
        }
    }

    /// Appends bytes for the node to read.
    pub fn fill(&mut self, bytes: &[u8]) {
        if self.at == self.input.len() {
            self.input.clear();
            self.at = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Returns true if there is something for the node to read.
    pub fn has_input(&self) -> bool {
        self.at < self.input.len()
    }

    /// What the node has written.
    pub fn written(&self) -> &[u8] {
        &self.output
    }

    pub fn clear_written(&mut self) {
        self.output.clear();
    }

    /// Takes what the node has written out of it; to be given back by [`Pipe::restore`].
    pub fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Gives the memory of what was written back, without its first `n` bytes.
    pub fn restore(&mut self, mut written: Vec<u8>, n: usize) {
        written.drain(..n);
        self.output = written;
    }
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = out.len().min(self.input.len() - self.at);
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        out[..n].copy_from_slice(&self.input[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }

    fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for part in parts {
            match self.read(part) {
                Ok(n) => total += n,
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        for part in parts {
            self.output.extend_from_slice(part);
        }
        Ok(parts.iter().map(|part| part.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
