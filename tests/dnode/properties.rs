//! What must hold for any message, any cut and any bytes.

use crate::dnode::feed::{MBUF, chain, encrypt, feed, key_pair, security};
use dynomite::config::StoreKind;
use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::dnode::{Broken, Data, Decoder, Header, Kind, MAX_ENCODED, SessionKey};
use dynomite::proto::redis::encode;
use dynomite::proto::store::Shape;
use openssl::symm;
use proptest::collection::vec;
use proptest::prelude::*;

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

/// A `SET` of exactly `len` bytes, if there is one: a length of one digit more may skip a size.
fn set_of(len: usize) -> Option<Vec<u8>> {
    (1..8).find_map(|digits| {
        let around = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$\r\n\r\n".len() + digits;
        let value = len
            .checked_sub(around)
            .filter(|value| value.to_string().len() == digits)?;
        let value: Vec<u8> = (0..value).map(|at| (at * 7 + at / 251) as u8).collect();
        let mut out = Vec::new();
        encode::command(&mut out, &[&b"SET"[..], b"k", &value]);
        Some(out)
    })
}

/// A message as the requester writes it; with the session key if it is secured and the first.
fn written(header: Header, plain: &[u8], mbuf_size: usize, first: bool) -> Vec<u8> {
    let key = SessionKey::new(KEY);
    let body = if header.encrypted {
        encrypt(&key, mbuf_size, plain)
    } else {
        plain.to_vec()
    };
    let header = Header {
        payload_len: body.len() as u64,
        ..header
    };
    let wrapped = (header.encrypted && first).then(|| key_pair().wrap(&key).unwrap());
    let mut room = [0; MAX_ENCODED];
    [
        header.encode(wrapped.as_deref().map_or(Data::None, Data::Key), &mut room),
        &body,
    ]
    .concat()
}

/// All sizes around one, two and three pieces, and through the rest of the digits.
#[test]
fn every_size_around_a_piece_survives() {
    let around = |piece: usize| (1..=3).flat_map(move |n| n * piece - 20..=n * piece + 20);
    let sizes = (16_300..=16_345)
        .chain(32_630..=32_680)
        .map(|size| (MBUF, size));
    let small = [512, 1024]
        .into_iter()
        .flat_map(|mbuf| around(mbuf - 64).map(move |size| (mbuf, size)));
    let mut tried = 0;
    for (mbuf, size) in sizes.chain(small) {
        let Some(plain) = set_of(size) else { continue };
        for secured in [false, true] {
            let header = |id| Header {
                encrypted: secured,
                ..Header::new(Kind::Forward, id, 0)
            };
            let stream: Vec<u8> = (0..6)
                .flat_map(|n| written(header(n), &plain, mbuf, n == 0))
                .collect();
            let (got, broken) = feed(
                Decoder::requests(StoreKind::Redis, security(mbuf)),
                stream.chunks(16_320),
            );
            assert_eq!(
                (got.len(), broken),
                (6, None),
                "{size} bytes with mbuf_size {mbuf}"
            );
            assert!(
                got.iter()
                    .all(|message| message.payload == plain && message.kind == Kind::Forward)
            );
            tried += 1;
        }
    }
    assert!(tried > 600, "{tried} tried");
}

/// As a C node cuts: full buffers, but shorter where one would end in a length line; what it relays
/// has a short or empty piece in front.
fn cut_like_c(plain: &[u8], piece: usize, first: Option<usize>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut seal = |part: &[u8]| {
        let cipher = symm::Cipher::aes_128_cbc();
        out.extend(symm::encrypt(cipher, &KEY[..16], Some(&KEY[..16]), part).unwrap());
    };
    let mut rest = plain;
    if let Some(first) = first {
        let (part, tail) = rest.split_at(first.min(rest.len().saturating_sub(1)));
        seal(part);
        rest = tail;
    }
    while !rest.is_empty() {
        let mut len = piece.min(rest.len());
        if len < rest.len()
            && let Some(dollar) = rest[..len].iter().rposition(|&byte| byte == b'$')
            && dollar > 0
            && len - dollar < 12
            && !rest[dollar..len].contains(&b'\n')
        {
            len = dollar;
        }
        let (part, tail) = rest.split_at(len);
        seal(part);
        rest = tail;
    }
    out
}

/// Returns true if the block behind a first piece of `len` bytes, read as if the piece went on, ends in a
/// padding as long as the piece's own.
fn ends_twice(body: &[u8], len: usize) -> bool {
    let cipher = symm::Cipher::aes_128_cbc();
    let mut stream =
        symm::Crypter::new(cipher, symm::Mode::Decrypt, &KEY[..16], Some(&KEY[..16])).unwrap();
    stream.pad(false);
    let mut read = vec![0; body.len() + 16];
    let done = stream.update(body, &mut read).unwrap();
    let pad = 16 - len % 16;
    let behind = &read[..done][len + pad..][..16];
    behind[16 - pad..]
        .iter()
        .all(|&byte| usize::from(byte) == pad)
}

/// Together as long as one full piece, the second with a whole block of padding.
#[test]
fn two_short_pieces_are_not_taken_for_a_full_one() {
    let mut plain = Vec::new();
    encode::command(&mut plain, &[&b"SET"[..], b"key", &[b'v'; 417]]);
    assert_eq!(plain.len(), 79 + 368);
    let body = cut_like_c(&plain, 448, Some(79));
    assert_eq!(body.len(), 448 + 16);
    let head = format!("   $2014$ 1 3 1 1 1 *1 d *{}\r\n", body.len());
    let mut decoder = Decoder::requests(StoreKind::Redis, security(512));
    decoder.set_session(&SessionKey::new(KEY)).unwrap();
    let (got, broken) = feed(decoder, [head.as_bytes(), &body]);
    assert_eq!(broken, None);
    assert_eq!(got[0].payload, plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Messages of both modes, cut anywhere.
    #[test]
    fn what_is_encoded_is_decoded(
        requests in vec((any::<u64>(), any::<bool>(), any::<bool>(), any::<bool>(), vec(vec(any::<u8>(), 0..60), 1..5)), 1..8),
        mbuf in prop_oneof![Just(512usize), Just(1024), Just(MBUF)],
        cuts in vec(1usize..200, 1..20),
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        let mut first = true;
        for (id, forward, secured, same_dc, args) in requests {
            let mut plain = Vec::new();
            encode::command(&mut plain, &args);
            let kind = if forward { Kind::Forward } else { Kind::Request };
            let header = Header { encrypted: secured, same_dc, version: 2, ..Header::new(kind, id, 0) };
            stream.extend(written(header, &plain, mbuf, first));
            first &= !secured;
            expected.push((id, kind, secured, same_dc, plain));
        }
        let mut pieces = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = tail;
            if rest.is_empty() { break; }
        }
        let (got, broken) = feed(Decoder::requests(StoreKind::Redis, security(mbuf)), pieces);
        prop_assert_eq!(broken, None);
        let got: Vec<_> = got.into_iter().map(|m| (m.id, m.kind, m.encrypted, m.same_dc, m.payload)).collect();
        prop_assert_eq!(got, expected);
    }

    /// Payloads that a C node could not decrypt itself.
    #[test]
    fn odd_cuts_are_put_right(
        elements in 20usize..200, width in 1usize..60, mbuf in prop_oneof![Just(512usize), Just(1024)],
        first in prop_oneof![Just(None), Just(Some(0usize)), (1usize..400).prop_map(Some)],
    ) {
        let mut args = vec![b"RPUSH".to_vec(), b"key".to_vec()];
        args.extend((0..elements).map(|at| format!("{at:0width$}").into_bytes()));
        let mut plain = Vec::new();
        encode::command(&mut plain, &args);
        let body = cut_like_c(&plain, mbuf - 64, first);
        let head = format!("   $2014$ 1 5 1 1 1 *1 d *{}\r\n", body.len());
        let stream = [head.as_bytes(), &body].concat();
        let mut decoder = Decoder::replies(StoreKind::Redis, security(mbuf));
        decoder.set_session(&SessionKey::new(KEY)).unwrap();
        let (got, broken) = feed(decoder, stream.chunks(1000));
        prop_assert_eq!(broken, None);
        prop_assert_eq!(&got[0].payload, &plain);
    }

    /// One large value, relayed with a short first piece. It may be open where that piece ends: in a
    /// value of any bytes, or where the next block looks like an end too. Then it is refused, and
    /// never a wrong one taken.
    #[test]
    fn a_short_first_piece_of_a_large_value_is_put_right(
        value in vec(any::<u8>(), 100..3000), text in any::<bool>(), first in 0usize..447,
    ) {
        let value: Vec<u8> = if text { value.iter().map(|byte| b'0' + byte % 70).collect() } else { value };
        let mut plain = Vec::new();
        encode::command(&mut plain, &[&b"SET"[..], b"key", &value]);
        let body = cut_like_c(&plain, 448, Some(first));
        let head = format!("   $2014$ 1 3 1 1 1 *1 d *{}\r\n", body.len());
        let mut decoder = Decoder::requests(StoreKind::Redis, security(512));
        decoder.set_session(&SessionKey::new(KEY)).unwrap();
        match feed(decoder, [head.as_bytes(), &body]) {
            (got, None) => prop_assert_eq!(&got[0].payload, &plain),
            (_, broken) => {
                prop_assert_eq!(broken, Some(Broken::Decrypt));
                let open = !text || ends_twice(&body, first.min(plain.len() - 1));
                prop_assert!(open, "only one end is possible");
            }
        }
    }

    /// Nothing a peer sends ends the process, and garbage is counted, not kept.
    #[test]
    fn any_bytes_are_survived(
        parts in vec(prop_oneof![
            Just(b"   $2014$ ".to_vec()), Just(b"$2014$ 1 3 ".to_vec()), Just(b" *1 d *".to_vec()), Just(b"\r\n".to_vec()),
            Just(b"   $2014$ 9 3 0 1 1 *1 d *22\r\n".to_vec()), Just(b"   $2014$ 9 5 0 1 1 *1 d *5\r\n".to_vec()),
            Just(b"   $2014$ 9 3 1 1 1 *1 d *32\r\n".to_vec()), Just(b"   $2014$ 9 7 1 1 1 *1 d *16\r\n".to_vec()),
            Just(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".to_vec()), Just(b"+OK\r\n".to_vec()), Just(b"*1 ".to_vec()),
            "[0-9 $*\r\n]{1,12}".prop_map(String::into_bytes), vec(any::<u8>(), 1..40),
        ], 1..30),
        cut in 1usize..80,
        replies in any::<bool>(),
    ) {
        let stream = parts.concat();
        let key = SessionKey::new(KEY);
        let run = |size: usize| if replies {
            let mut decoder = Decoder::replies(StoreKind::Redis, security(MBUF));
            decoder.set_session(&key).unwrap();
            feed(decoder, stream.chunks(size))
        } else {
            let mut decoder = Decoder::requests(StoreKind::Redis, security(MBUF));
            decoder.set_session(&key).unwrap();
            feed(decoder, stream.chunks(size))
        };
        let (whole, broken) = run(stream.len());
        let (cut, also_broken) = run(cut);
        prop_assert_eq!(whole, cut);
        // Over slice borders an overlong line of junk is given up early.
        let payload = |broken: &Option<Broken>| matches!(broken, None | Some(Broken::Payload(_)));
        prop_assert!(broken == also_broken || (payload(&broken) && payload(&also_broken)));
    }
}

/// Three thousand requests that arrive at once are decoded in order and copy nothing.
#[test]
fn a_batch_is_decoded_without_copying() {
    let pool = Pool::new(MBUF, 1 << 30);
    let get = b"*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n";
    let stream: Vec<u8> = (0..3000)
        .flat_map(|id| written(Header::new(Kind::Request, id, 0), get, MBUF, false))
        .collect();
    let mut data = chain(&pool, &stream);
    let blocks = pool.in_use();
    let mut decoder = Decoder::requests(StoreKind::Redis, security(MBUF));
    let mut kept = Chain::new();
    let mut next = 0;
    while let Some(mut message) = decoder.next(&mut data, &pool).unwrap() {
        let Shape::Redis(shape) = message.shape else {
            panic!("{:?}", message.shape);
        };
        assert_eq!((message.id, shape.argc, shape.first.len), (next, 2, 3));
        kept.append(&mut message.payload);
        next += 1;
    }
    assert_eq!((next, data.len(), decoder.garbage()), (3000, 0, 0));
    assert_eq!(kept.to_vec(), get.repeat(3000));
    assert_eq!(pool.in_use(), blocks);
}
