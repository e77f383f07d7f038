use super::*;

const LEVELS: [Consistency; 3] = [
    Consistency::DcQuorum,
    Consistency::DcSafeQuorum,
    Consistency::DcEachSafeQuorum,
];

/// `A`, `B`, `C` are values, `!` an error.
fn reply(letter: char) -> Reply {
    match letter {
        '!' => Reply::Error,
        value => Reply::Good(u64::from(u32::from(value))),
    }
}

/// The verdict after each reply of one datacenter, in order of arrival; targets count from 0.
fn verdicts(level: Consistency, expected: u16, letters: &str) -> Vec<Verdict> {
    let mut quorum = Quorum::new(level, [expected]);
    let judged = letters.chars().zip(0..);
    judged
        .map(|(letter, target)| quorum.reply(DcId::LOCAL, target, reply(letter)))
        .collect()
}

/// The rule of the table, read off a complete list of replies.
fn oracle(level: Consistency, letters: &[char]) -> Verdict {
    let quorum = letters.len() / 2 + 1;
    let first = |wanted: &dyn Fn(char) -> bool| {
        let place = letters.iter().position(|letter| wanted(*letter)).unwrap();
        u16::try_from(place).unwrap()
    };
    let count = |wanted: char| letters.iter().filter(|letter| **letter == wanted).count();
    if let Some(value) = "ABC".chars().find(|value| count(*value) >= quorum) {
        return Verdict::Answer {
            target: first(&|letter| letter == value),
            agreed: true,
        };
    }
    if letters.len() - count('!') < quorum {
        return Verdict::Error {
            target: first(&|letter| letter == '!'),
        };
    }
    match level {
        Consistency::DcQuorum => Verdict::Answer {
            target: first(&|letter| letter != '!'),
            agreed: false,
        },
        _ => Verdict::NoQuorum,
    }
}

/// Every list of `length` letters.
fn all(length: usize) -> Vec<Vec<char>> {
    (0..length).fold(vec![Vec::new()], |lists, _| {
        let longer = |list: Vec<char>| {
            "ABC!".chars().map(move |letter| {
                let mut list = list.clone();
                list.push(letter);
                list
            })
        };
        lists.into_iter().flat_map(longer).collect()
    })
}

#[test]
fn every_order_of_every_assignment_is_judged_by_the_table() {
    for level in LEVELS {
        for length in 1..=5 {
            for letters in all(length) {
                let text: String = letters.iter().collect();
                let found = verdicts(level, length as u16, &text);
                for (seen, verdict) in (1..).zip(&found) {
                    // What every way to go on ends in; a verdict is due exactly if it is one.
                    let mut ends = all(length - seen).into_iter().map(|rest| {
                        let list: Vec<char> = letters[..seen].iter().copied().chain(rest).collect();
                        oracle(level, &list)
                    });
                    let first = ends.next().unwrap();
                    let certain = ends.all(|end| end == first);
                    let expected = if certain { first } else { Verdict::Pending };
                    assert_eq!(*verdict, expected, "{level} {text} after {seen}");
                }
            }
        }
    }
}

#[test]
fn large_racks_keep_count() {
    // Beyond what is kept in place: 20 different values, then a majority.
    let mut quorum = Quorum::new(Consistency::DcSafeQuorum, [41]);
    for target in 0..20 {
        let verdict = quorum.reply(DcId::LOCAL, target, Reply::Good(u64::from(target)));
        assert_eq!(verdict, Verdict::Pending);
    }
    for target in 20..39 {
        let verdict = quorum.reply(DcId::LOCAL, target, Reply::Good(7));
        assert_eq!(verdict, Verdict::Pending, "{target}");
    }
    assert_eq!(
        quorum.reply(DcId::LOCAL, 39, Reply::Good(7)),
        Verdict::Answer {
            target: 7,
            agreed: true
        }
    );
}

#[test]
fn one_replica_agrees_with_itself() {
    for level in Consistency::ALL {
        let agreed = Verdict::Answer {
            target: 0,
            agreed: true,
        };
        assert_eq!(verdicts(level, 1, "A"), [agreed], "{level}");
        assert_eq!(verdicts(level, 1, "!"), [Verdict::Error { target: 0 }]);
    }
}

#[test]
fn dc_one_takes_the_first_reply() {
    let mut quorum = Quorum::new(Consistency::DcOne, [3]);
    let error = Verdict::Error { target: 2 };
    assert_eq!(quorum.verdict(), Verdict::Pending);
    assert_eq!(quorum.reply(DcId::LOCAL, 2, Reply::Error), error);
    assert_eq!(quorum.reply(DcId::LOCAL, 1, Reply::Good(1)), error);
}

#[test]
fn what_is_not_expected_changes_nothing() {
    let mut quorum = Quorum::new(Consistency::DcSafeQuorum, [3]);
    assert_eq!(quorum.reply(DcId(1), 9, Reply::Error), Verdict::Pending);
    for target in 0..2 {
        quorum.reply(DcId::LOCAL, target, Reply::Good(5));
    }
    let answer = Verdict::Answer {
        target: 0,
        agreed: true,
    };
    for target in 2..20 {
        assert_eq!(quorum.reply(DcId::LOCAL, target, Reply::Good(6)), answer);
    }
    // No datacenter expects anything.
    for expected in [&[][..], &[0], &[0, 0]] {
        let quorum = Quorum::new(Consistency::DcSafeQuorum, expected.iter().copied());
        assert_eq!(quorum.verdict(), Verdict::NoQuorum);
    }
}

/// All interleavings of two lists, as (datacenter, letter).
fn interleavings(here: &[char], far: &[char]) -> Vec<Vec<(u16, char)>> {
    let take = |dc: u16, letter: char, rest: Vec<Vec<(u16, char)>>| {
        rest.into_iter().map(move |mut list| {
            list.insert(0, (dc, letter));
            list
        })
    };
    let mut lists = Vec::new();
    if let Some((letter, rest)) = here.split_first() {
        lists.extend(take(0, *letter, interleavings(rest, far)));
    }
    if let Some((letter, rest)) = far.split_first() {
        lists.extend(take(1, *letter, interleavings(here, rest)));
    }
    if lists.is_empty() {
        lists.push(Vec::new());
    }
    lists
}

#[test]
fn each_datacenter_must_agree_and_the_local_one_answers() {
    let level = Consistency::DcEachSafeQuorum;
    let mut judged = 0;
    for here in all(3) {
        for far in all(2) {
            // Targets: 0 to 2 here, 10 and 11 there.
            let local = oracle(level, &here);
            let remote = match oracle(level, &far) {
                Verdict::Error { target } => Verdict::Error {
                    target: target + 10,
                },
                other => other,
            };
            let expected = match (local, remote) {
                (Verdict::Answer { .. }, Verdict::Answer { .. }) => local,
                (Verdict::Answer { .. }, bad) => bad,
                (bad, _) => bad,
            };
            for order in interleavings(&here, &far) {
                let mut quorum = Quorum::new(level, [3, 2]);
                let mut next = [0, 10];
                let mut seen = Verdict::Pending;
                for (dc, letter) in &order {
                    let target = &mut next[usize::from(*dc)];
                    let verdict = quorum.reply(DcId(*dc), *target, reply(*letter));
                    *target += 1;
                    assert!(
                        seen == Verdict::Pending || seen == verdict,
                        "{order:?}: {seen:?} became {verdict:?}"
                    );
                    seen = verdict;
                }
                assert_eq!(seen, expected, "{order:?}");
                judged += 1;
            }
        }
    }
    assert!(judged > 10_000);
}

#[test]
fn lists_wait_for_the_last_reply_before_they_disagree() {
    let safe = Consistency::DcSafeQuorum;
    let sequence = |quorum: Quorum, letters: &str| -> Vec<Verdict> {
        let mut quorum = quorum;
        let judged = letters.chars().zip(0..);
        judged
            .map(|(letter, target)| quorum.reply(DcId::LOCAL, target, reply(letter)))
            .collect()
    };
    let pending = Verdict::Pending;
    let answer = Verdict::Answer {
        target: 0,
        agreed: true,
    };
    let lists = || Quorum::new(safe, [4]).of_lists();
    assert_eq!(
        sequence(Quorum::new(safe, [4]), "ABC"),
        [pending, pending, Verdict::NoQuorum]
    );
    assert_eq!(
        sequence(lists(), "ABCA"),
        [pending, pending, pending, Verdict::NoQuorum]
    );
    // Agreement and failure are as early as ever.
    assert_eq!(sequence(lists(), "AAA"), [pending, pending, answer]);
    assert_eq!(
        sequence(lists(), "A!!"),
        [pending, pending, Verdict::Error { target: 1 }]
    );
}

#[test]
fn lists_of_one_datacenter_wait_for_the_others() {
    let mut quorum = Quorum::new(Consistency::DcEachSafeQuorum, [2, 1]).of_lists();
    quorum.reply(DcId(0), 0, reply('A'));
    assert_eq!(quorum.reply(DcId(0), 1, reply('B')), Verdict::Pending);
    assert_eq!(quorum.reply(DcId(1), 2, reply('A')), Verdict::NoQuorum);
}
