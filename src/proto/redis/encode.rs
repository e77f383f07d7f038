//! Canonical RESP, written into a byte vector.
//!
//! Requests are always arrays of bulk strings. Replies come in two protocols: [`Reply`] writes the
//! RESP3 type where the client asked for it and the RESP2 stand-in otherwise, the way Redis does.

/// Appends the header of an array of `count` elements.
pub fn array(out: &mut Vec<u8>, count: usize) {
    header(out, b'*', count as i64);
}

/// Appends a bulk string.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    header(out, b'$', bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends an integer reply.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    header(out, b':', value);
}

/// Appends a status line. `text` must not contain CR or LF.
pub fn simple(out: &mut Vec<u8>, text: &str) {
    line(out, b'+', text);
}

/// Appends a request: an array of bulk strings.
pub fn command<A: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[A]) {
    array(out, args.len());
    for arg in args {
        bulk(out, arg.as_ref());
    }
}

/// Appends a type byte, a decimal number and CR LF.
pub fn header(out: &mut Vec<u8>, kind: u8, value: i64) {
    line(out, kind, itoa::Buffer::new().format(value));
}

fn line(out: &mut Vec<u8>, kind: u8, text: &str) {
    out.push(kind);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes one client's replies in the protocol it speaks.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    resp3: bool,
}

impl<'a> Reply<'a> {
    /// A writer at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>, resp3: bool) -> Self {
        Reply { out, resp3 }
    }

    /// The output, for replies without a RESP3 form.
    pub fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        simple(self.out, "OK");
    }

    /// A status line without CR or LF.
    pub fn simple(&mut self, text: &str) {
        simple(self.out, text);
    }

    /// A bulk string.
    pub fn bulk(&mut self, bytes: impl AsRef<[u8]>) {
        bulk(self.out, bytes.as_ref());
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) {
        integer(self.out, value);
    }

    /// The header of an array.
    pub fn array(&mut self, count: usize) {
        array(self.out, count);
    }

    /// The header of a message of `count` elements that belongs to no request, or of an array.
    pub fn push(&mut self, count: usize) {
        header(self.out, if self.resp3 { b'>' } else { b'*' }, count as i64);
    }

    /// Null: `_`, or the null bulk string.
    pub fn null(&mut self) {
        self.out
            .extend_from_slice(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The header of a map of `count` pairs, or of an array of twice as many elements.
    pub fn map(&mut self, count: usize) {
        if self.resp3 {
            header(self.out, b'%', count as i64);
        } else {
            array(self.out, count * 2);
        }
    }

    /// The header of a set, or of an array.
    pub fn set(&mut self, count: usize) {
        header(self.out, if self.resp3 { b'~' } else { b'*' }, count as i64);
    }

    /// A verbatim text, or a bulk string.
    pub fn text(&mut self, text: &str) {
        if self.resp3 {
            header(self.out, b'=', text.len() as i64 + 4);
            self.out.extend_from_slice(b"txt:");
            self.out.extend_from_slice(text.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols() {
        let write = |resp3| {
            let mut out = Vec::new();
            let mut reply = Reply::new(&mut out, resp3);
            reply.map(2);
            reply.bulk("a");
            reply.null();
            reply.set(1);
            reply.integer(-7);
            reply.text("hi");
            reply.ok();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            write(false),
            "*4\r\n$1\r\na\r\n$-1\r\n*1\r\n:-7\r\n$2\r\nhi\r\n+OK\r\n"
        );
        assert_eq!(
            write(true),
            "%2\r\n$1\r\na\r\n_\r\n~1\r\n:-7\r\n=6\r\ntxt:hi\r\n+OK\r\n"
        );
    }

    #[test]
    fn a_request_is_an_array_of_bulks() {
        let mut out = Vec::new();
        command(&mut out, &[&b"SET"[..], b"", b"a\r\nb"]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n");
    }
}
