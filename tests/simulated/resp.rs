//! RESP as the model store writes it and the model clients read it: written apart from the program's own
//! code, so that a mistake there is not repeated here.

/// A reply. Its bytes depend on the protocol version of its reader.
#[derive(Clone, Debug)]
pub enum Reply {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Reply>),
    /// Names and values in turn.
    Map(Vec<Reply>),
    Set(Vec<Reply>),
}

impl Reply {
    pub fn encode(&self, resp3: bool) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(resp3, &mut out);
        out
    }

    fn write(&self, resp3: bool, out: &mut Vec<u8>) {
        let (kind, count, items) = match self {
            Reply::Simple(text) => return line(out, '+', text),
            Reply::Error(text) => return line(out, '-', text),
            Reply::Int(number) => return line(out, ':', &number.to_string()),
            Reply::Null if resp3 => return line(out, '_', ""),
            Reply::Null => return line(out, '$', "-1"),
            Reply::Bulk(bytes) => {
                line(out, '$', &bytes.len().to_string());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
                return;
            }
            Reply::Map(items) if resp3 => ('%', items.len() / 2, items),
            Reply::Set(items) if resp3 => ('~', items.len(), items),
            Reply::Array(items) | Reply::Map(items) | Reply::Set(items) => {
                ('*', items.len(), items)
            }
        };
        line(out, kind, &count.to_string());
        for item in items {
            item.write(resp3, out);
        }
    }
}

fn line(out: &mut Vec<u8>, kind: char, text: &str) {
    out.push(kind as u8);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Where the first line of `bytes` ends, CR LF included.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(2)
        .position(|pair| pair == b"\r\n")
        .map(|at| at + 2)
}

fn number(line: &[u8]) -> Result<i64, String> {
    std::str::from_utf8(&line[1..line.len() - 2])
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("no number: {:?}", String::from_utf8_lossy(line)))
}

/// How long the first reply in `bytes` is, in either protocol; `None` if it is not complete.
pub fn delimit(bytes: &[u8]) -> Result<Option<usize>, String> {
    let (mut at, mut missing) = (0, 1u64);
    while missing > 0 {
        let rest = &bytes[at..];
        let Some(end) = line_end(rest) else {
            return Ok(None);
        };
        let head = &rest[..end];
        missing -= 1;
        at += end;
        match head[0] {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' => {}
            b'$' | b'=' => {
                if let Ok(length) = usize::try_from(number(head)?) {
                    at += length + 2;
                    if at > bytes.len() {
                        return Ok(None);
                    }
                    if &bytes[at - 2..at] != b"\r\n" {
                        return Err("a bulk does not end where it should".into());
                    }
                }
            }
            b'*' | b'~' => missing += u64::try_from(number(head)?).unwrap_or(0),
            b'%' => missing += 2 * u64::try_from(number(head)?).unwrap_or(0),
            other => return Err(format!("a reply begins with byte {other}")),
        }
    }
    Ok(Some(at))
}

/// A request as clients send it.
pub fn command(args: &[&[u8]]) -> Vec<u8> {
    Reply::Array(args.iter().map(|arg| Reply::Bulk(arg.to_vec())).collect()).encode(false)
}

/// Arguments of a request, and its length.
pub type Request = (Vec<Vec<u8>>, usize);

/// The first request in `bytes`, and its length. A datastore is strict: anything but a canonical array of
/// bulks is an error.
pub fn request(bytes: &[u8]) -> Result<Option<Request>, String> {
    let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes[0] != b'*' {
        return Err(format!("no request: {:?}", shown()));
    }
    let Some(mut at) = line_end(bytes) else {
        return Ok(None);
    };
    let count = number(&bytes[..at])?;
    let mut args = Vec::new();
    for _ in 0..count {
        let rest = &bytes[at..];
        let Some(end) = line_end(rest) else {
            return Ok(None);
        };
        if rest[0] != b'$' {
            return Err(format!("no bulk in a request: {:?}", shown()));
        }
        let length = number(&rest[..end])? as usize;
        at += end + length + 2;
        if at > bytes.len() {
            return Ok(None);
        }
        if &bytes[at - 2..at] != b"\r\n" {
            return Err(format!(
                "a bulk does not end where it should: {:?}",
                shown()
            ));
        }
        args.push(bytes[at - 2 - length..at - 2].to_vec());
    }
    Ok(Some((args, at)))
}
