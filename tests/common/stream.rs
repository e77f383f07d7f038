//! A stream of requests on its way, and what the environment says of it.

use super::random::Random;

/// Largest piece a stream is delivered in.
const PIECE: u64 = 64 << 10;

/// A number that a variable of the environment has, if it is set.
pub fn number_from(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Cuts a stream into pieces of 1 byte to 64 KB, small ones as often as large ones.
pub fn cut(stream: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let n = random.magnitude(PIECE).min(rest.len() as u64) as usize;
        let (piece, after) = rest.split_at(n);
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

/// Runs the seed that `DYNOMITE_SEED` names, or these; each run prints how many replies it has compared.
pub fn run_seeds(seeds: std::ops::RangeInclusive<u64>, run: impl Fn(u64) -> usize) {
    let run = |seed| {
        println!("DYNOMITE_SEED={seed}");
        run(seed)
    };
    let replies: usize = match number_from("DYNOMITE_SEED") {
        Some(seed) => run(seed),
        None => seeds.map(run).sum(),
    };
    println!("{replies} replies compared");
    assert!(replies > 0);
}
