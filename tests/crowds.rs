//! Many clients that are ready at the same moment: what each of them gets does not depend on the others,
//! nor on how the kernel is asked to read and write for them.

use crate::common::*;

/// So many are read together, and some are left over.
const CLIENTS: usize = 75;

/// `DYNOMITE_IO_URING` and what the log says of it: in use only if the kernel has it.
const WAYS: [(&str, &str); 2] = [("1", "io_uring "), ("0", "io_uring is switched off")];

/// Values so long that the request has `len` bytes.
fn set(key: &str, len: usize) -> (Vec<u8>, Vec<u8>) {
    let around = command(&[b"set", key.as_bytes(), &vec![b'v'; len]]).len() - len;
    let value = vec![b'v'; len.saturating_sub(around).max(1)];
    (command(&[b"set", key.as_bytes(), &value]), value)
}

/// One request of each of these lengths: one piece of what is read at once, all of it, one byte more or
/// less, several times as much.
const LENGTHS: [usize; 9] = [40, 100, 2047, 2048, 2049, 4096, 5000, 20_000, 100_000];

#[test]
fn each_of_a_crowd_is_read_and_answered_as_if_it_were_alone() {
    for (way, logged) in WAYS {
        for mbuf_size in [512, 16_384] {
            let redis = Redis::start();
            let node = Setup::before(&redis)
                .with_env("DYNOMITE_IO_URING", way)
                .with("mbuf_size", mbuf_size)
                .verbose()
                .start();
            let mut clients: Vec<_> = (0..CLIENTS).map(|_| node.client()).collect();
            for client in &mut clients {
                client.expect_open();
            }
            node.await_log(logged);
            for round in 0..3 {
                // The node finds them all ready at once.
                pause(node.pid());
                let mut values = Vec::new();
                for (number, client) in clients.iter_mut().enumerate() {
                    let key = format!("k{number}");
                    let (mut request, value) = set(&key, LENGTHS[(number + round) % LENGTHS.len()]);
                    request.extend(command(&[b"get", key.as_bytes()]));
                    // What does not fit into the kernel's buffers is sent while the node runs.
                    values.push((client.send_aside(vec![request]), value));
                }
                resume(node.pid());
                for (client, (sender, value)) in clients.iter_mut().zip(values) {
                    sender.join().expect("the sender");
                    assert_eq!(client.reply(), b"+OK\r\n");
                    let mut wanted = format!("${}\r\n", value.len()).into_bytes();
                    wanted.extend(value);
                    wanted.extend(b"\r\n");
                    assert!(client.reply() == wanted, "{way}, {mbuf_size}");
                }
            }
        }
    }
}

#[test]
fn those_of_a_crowd_who_leave_take_nobody_with_them() {
    for (way, _) in WAYS {
        let redis = Redis::start();
        redis.client().ask("set s hello");
        let node = Setup::before(&redis)
            .with_env("DYNOMITE_IO_URING", way)
            .start();
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| Some(node.client())).collect();
        for client in clients.iter_mut().flatten() {
            client.expect_open();
        }
        pause(node.pid());
        for (number, place) in clients.iter_mut().enumerate() {
            let Some(client) = place else { continue };
            client.send(&[words("incr n"), words("get s")].concat());
            match number % 5 {
                0 => client.half_close(),
                1 => place.take().into_iter().for_each(Client::abort),
                2 => *place = None,
                3 => client.send(b"*1\r\n$99999999999\r\n"),
                _ => {}
            }
        }
        resume(node.pid());
        for (number, client) in clients.iter_mut().enumerate() {
            let Some(client) = client else { continue };
            assert!(client.reply().starts_with(b":"), "{way}, {number}");
            assert_eq!(shown(&client.reply()), "$5\\r\\nhello\\r\\n");
            match number % 5 {
                0 => assert_eq!(shown(&client.until_closed()), ""),
                3 => assert!(shown(&client.until_closed()).starts_with("-ERR Protocol error")),
                _ => client.expect_open(),
            }
        }
        // The clients that vanished had sent theirs before.
        eventually("every increment", || {
            redis.client().ask("get n") == format!("$2\r\n{CLIENTS}\r\n").into_bytes()
        });
    }
}

#[test]
fn what_was_read_from_those_who_must_wait_is_not_lost() {
    const EACH: usize = 1000;
    for (way, _) in WAYS {
        let redis = Redis::start();
        let node = Setup::before(&redis)
            .with_env("DYNOMITE_IO_URING", way)
            // Fifty megabytes in all, and the clients have more: some must wait.
            .with("mbuf_size", 512)
            .with("max_msgs", 100_000)
            .start();
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| node.client()).collect();
        for client in &mut clients {
            client.expect_open();
        }
        pause(redis.pid());
        let mut senders = Vec::new();
        for (number, client) in clients.iter_mut().enumerate() {
            let key = format!("list{number}");
            let value = [b'v'; 1000];
            let pieces = (0..EACH)
                .map(|n| command(&[b"rpush", key.as_bytes(), n.to_string().as_bytes(), &value]))
                .collect();
            senders.push(client.send_aside(pieces));
        }
        node.await_stat("client_connections", |count| count >= CLIENTS as i64);
        resume(redis.pid());
        for (client, sender) in clients.iter_mut().zip(senders) {
            for n in 1..=EACH {
                assert_eq!(shown(&client.reply()), format!(":{}\\r\\n", 2 * n), "{way}");
            }
            sender.join().expect("the sender");
        }
        for number in 0..CLIENTS {
            let list = redis.client().ask(&format!("lrange list{number} 0 -1"));
            let order: Vec<_> = (0..EACH).map(|n| format!("\r\n{n}\r\n")).collect();
            let text = String::from_utf8(list).expect("text");
            let mut at = 0;
            for n in order {
                at += text[at..].find(&n).expect("in order");
            }
        }
    }
}
