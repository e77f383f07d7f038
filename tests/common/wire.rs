//! Requests as bytes, and bytes as text.

/// A request in canonical form.
pub fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A request written as words with single blanks between them.
pub fn words(line: &str) -> Vec<u8> {
    let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    command(&args)
}

/// Bytes for a person: escaped, and cut in the middle if there are many.
pub fn shown(bytes: &[u8]) -> String {
    const END: usize = 400;
    if bytes.len() <= 2 * END {
        return bytes.escape_ascii().to_string();
    }
    format!(
        "{} … {} … {}",
        bytes[..END].escape_ascii(),
        bytes.len(),
        bytes[bytes.len() - END..].escape_ascii()
    )
}

/// Written bytes as bytes: `x×100` stands for a hundred `x`.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut parts = text.split('×');
    out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: usize = part[..digits].parse().expect("a number behind ×");
        let repeated = *out.last().expect("a character before ×");
        out.resize(out.len() + count - 1, repeated);
        out.extend_from_slice(&part.as_bytes()[digits..]);
    }
    out
}
