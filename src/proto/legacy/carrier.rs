//! A script that runs, on a C node, a request that the C node does not know.
//!
//! `EVAL <script> 1 <key> <request>`: to the C node this is a write to that key, whatever the
//! request is. Its parser cannot read arrays inside arrays, so the script returns one bulk string
//! that holds the reply as Redis would have written it (RESP2); [`unwrap`] takes it out again.

use crate::mbuf::Chain;
use crate::proto::redis::cursor::{self, Head};
use crate::proto::redis::encode;

/// The script, with the given text for null. It must be shorter than 400 bytes or so: a C node with
/// the smallest `mbuf_size` has buffers of 448.
macro_rules! script {
    ($null:literal) => {
        concat!(
            "local function e(v)local t=type(v)if t=='string'then return'$'..#v..'\\r\\n'..v..'\\r\\n'",
            "elseif t=='number'then return string.format(':%.0f\\r\\n',v)",
            "elseif t~='table'then return'", $null, "'",
            "elseif v.ok then return'+'..v.ok..'\\r\\n'elseif v.err then return'-'..v.err..'\\r\\n'end ",
            "local r={'*'..#v..'\\r\\n'}for i=1,#v do r[i+1]=e(v[i])end return table.concat(r)end ",
            "return e(redis.pcall(unpack(ARGV)))"
        )
    };
}

/// The null that a reply can have; a script cannot distinguish the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// `$-1`.
    Bulk,
    /// `*-1`.
    Array,
}

/// How a request is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// The nulls of its reply.
    pub nulls: Nulls,
    /// Which argument is the key by which C nodes find its place; 0 if it has none, and then it may
    /// only be sent to be run where it arrives.
    pub key: usize,
}

impl Carrier {
    /// Appends the request that carries `args`.
    pub fn encode(self, args: &[&[u8]], out: &mut Vec<u8>) {
        let script = match self.nulls {
            Nulls::Bulk => script!("$-1\\r\\n"),
            Nulls::Array => script!("*-1\\r\\n"),
        };
        let key = match self.key {
            0 => &b"-"[..],
            at => args.get(at).copied().unwrap_or(b"-"),
        };
        encode::array(out, args.len() + 4);
        for arg in [&b"EVAL"[..], script.as_bytes(), b"1", key]
            .iter()
            .chain(args)
        {
            encode::bulk(out, arg);
        }
    }
}

/// Takes the reply out of the carrier's. An error line, of the C node or of a datastore that refuses
/// the script, is the reply.
///
/// # Errors
/// The bytes are no carrier's reply; the text is the reason.
pub fn unwrap(mut reply: Chain) -> Result<Chain, &'static str> {
    if reply.first_byte() == Some(b'-') {
        return Ok(reply);
    }
    let mut cursor = cursor::over(&reply);
    let Some(Head::Bulk(b'$', len)) = cursor.head() else {
        return Err("carried reply is no bulk string");
    };
    let from = cursor.at();
    let is_one = cursor.skip().is_some() && (cursor.at() - from) as u64 == len;
    if !is_one {
        return Err("carried reply is not one reply");
    }
    let end = cursor.at();
    drop(cursor);
    let mut inner = reply.split_to(end);
    inner.advance(from);
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mbuf::Pool;
    use crate::proto::redis::request;

    fn unwrapped(reply: &str) -> Result<Vec<u8>, &'static str> {
        let pool = Pool::new(64, 1 << 20);
        let mut chain = Chain::new();
        pool.copy(reply.as_bytes(), &mut chain);
        unwrap(chain).map(|inner| inner.to_vec())
    }

    #[test]
    fn a_carrier_is_an_eval_of_the_whole_request() {
        let mut out = Vec::new();
        Carrier {
            nulls: Nulls::Bulk,
            key: 1,
        }
        .encode(&[b"GETEX", b"key", b"PERSIST"], &mut out);
        let args: Vec<&[u8]> = request::arguments(&out).collect();
        assert_eq!(
            (args[0], args[2], args[3]),
            (&b"EVAL"[..], &b"1"[..], &b"key"[..])
        );
        assert_eq!(args[4..], [&b"GETEX"[..], b"key", b"PERSIST"]);
        assert!(args[1].len() < 420, "{} bytes of script", args[1].len());
    }

    #[test]
    fn the_inner_reply_comes_out() {
        for inner in [
            "+OK\r\n",
            "-WRONGTYPE x\r\n",
            ":12\r\n",
            "$-1\r\n",
            "*2\r\n*1\r\n$1\r\na\r\n*-1\r\n",
        ] {
            let wrapped = format!("${}\r\n{inner}\r\n", inner.len());
            assert_eq!(unwrapped(&wrapped).unwrap(), inner.as_bytes());
        }
        let error = "-ERR Storage: Datastore refused connection\r\n";
        assert_eq!(unwrapped(error).unwrap(), error.as_bytes());
    }

    #[test]
    fn anything_else_is_refused() {
        for reply in [
            "$-1\r\n",
            "+OK\r\n",
            ":1\r\n",
            "$0\r\n\r\n",
            "$5\r\nhello\r\n",
            "$10\r\n+OK\r\n+OK\r\n\r\n",
            "*0\r\n",
        ] {
            assert!(unwrapped(reply).is_err(), "{reply:?}");
        }
    }
}
