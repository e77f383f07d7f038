//! Against name servers played by a thread.

use super::*;
use crate::seeds::tests::settings;
use std::net::TcpListener;

fn dns(lines: &str) -> (Dns, Vec<Note>) {
    let mut notes = Vec::new();
    (Dns::new(&settings(lines), &mut notes), notes)
}

/// The answer to a question: its bytes with other flags, then records of a type.
fn answer(question: &[u8], flags: u16, records: &[(u16, &[&str])]) -> Vec<u8> {
    let mut packet = question.to_vec();
    packet[2..4].copy_from_slice(&flags.to_be_bytes());
    packet[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
    for (kind, strings) in records {
        packet.extend(b"\xc0\x0c");
        packet.extend(kind.to_be_bytes());
        packet.extend(b"\0\x01\0\0\0\x3c");
        let data: Vec<u8> = strings
            .iter()
            .flat_map(|s| [&[s.len() as u8], s.as_bytes()].concat())
            .collect();
        packet.extend((data.len() as u16).to_be_bytes());
        packet.extend(data);
    }
    packet
}

/// A server that answers as many questions as there are answers to give.
fn serve<F>(answers: Vec<F>) -> SocketAddr
where
    F: Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
{
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let mut packet = [0; 512];
            let (n, from) = socket.recv_from(&mut packet).unwrap();
            for bytes in answer(&packet[..n]) {
                socket.send_to(&bytes, from).unwrap();
            }
        }
    });
    addr
}

fn servers(addresses: Vec<SocketAddr>) -> Servers {
    Servers {
        addresses,
        timeout: Duration::from_millis(200),
        attempts: 1,
    }
}

fn asked(records: &'static [(u16, &'static [&'static str])]) -> Result<String, String> {
    let server = serve(vec![move |q: &[u8]| vec![answer(q, 0x8180, records)]]);
    dns("").0.ask_these(&servers(vec![server]))
}

#[test]
fn item_7_all_strings_of_all_records_in_sorted_order() {
    let expected = Ok("a:1:r:d:1|b:2:r:d:2|c:3:r:d:3".to_owned());
    assert_eq!(
        asked(&[(16, &["c:3:r", ":d:3"]), (16, &["a:1:r:d:1|b:2:r:d:", "2"])]),
        expected
    );
    // Another order of the records is the same list.
    assert_eq!(
        asked(&[(16, &["a:1:r:d:1|b:2:r:d:2"]), (16, &["c:3:r:d:3"])]),
        expected
    );
    // An alias in front of what it stands for.
    assert_eq!(asked(&[(5, &["x"]), (16, &["a"])]), Ok("a".to_owned()));
    assert_eq!(asked(&[]), Err("there is no TXT record".to_owned()));
    assert_eq!(
        asked(&[(1, &["xxx"])]),
        Err("there is no TXT record".to_owned())
    );
}

#[test]
fn item_7_errors_and_silence_are_failures() {
    let failing = |flags: u16| {
        let server = serve(vec![move |q: &[u8]| vec![answer(q, flags, &[])]]);
        dns("").0.ask_these(&servers(vec![server])).unwrap_err()
    };
    assert_eq!(failing(0x8183), "there is no such name");
    assert!(failing(0x8182).ends_with("answers with error 2"));
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap();
    let why = dns("").0.ask_these(&servers(vec![addr])).unwrap_err();
    assert_eq!(why, format!("{addr}: timed out"));
    drop(silent);
    let why = dns("").0.ask_these(&servers(vec![addr])).unwrap_err();
    assert_eq!(why, format!("{addr}: Connection refused"));
}

#[test]
fn the_next_server_is_asked_when_one_fails() {
    let failing = serve(vec![|q: &[u8]| vec![answer(q, 0x8182, &[])]]);
    let good = serve(vec![|q: &[u8]| vec![answer(q, 0x8180, &[(16, &["a"])])]]);
    let list = dns("").0.ask_these(&servers(vec![failing, good]));
    assert_eq!(list, Ok("a".to_owned()));
}

#[test]
fn answers_to_other_questions_are_passed_over() {
    let server = serve(vec![|q: &[u8]| {
        let right = answer(q, 0x8180, &[(16, &["right"])]);
        let mut other_number = answer(q, 0x8180, &[(16, &["wrong"])]);
        other_number[0] ^= 1;
        let mut other_name = answer(q, 0x8180, &[(16, &["wrong"])]);
        other_name[13] ^= 1;
        vec![b"x".to_vec(), other_number, other_name, q.to_vec(), right]
    }]);
    let list = dns("").0.ask_these(&servers(vec![server]));
    assert_eq!(list, Ok("right".to_owned()));
}

#[test]
fn a_list_too_long_for_a_datagram_comes_over_tcp() {
    // A port that is free for both.
    let (udp, tcp) = (0..100)
        .find_map(|_| {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            let tcp = TcpListener::bind(udp.local_addr().unwrap()).ok()?;
            Some((udp, tcp))
        })
        .unwrap();
    let addr = udp.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        let (n, from) = udp.recv_from(&mut packet).unwrap();
        udp.send_to(&answer(&packet[..n], 0x8380, &[]), from)
            .unwrap();
        let (mut stream, _) = tcp.accept().unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut question).unwrap();
        let long = "x".repeat(250);
        let strings = [&*long, &long, &long, &long];
        let bytes = answer(&question, 0x8180, &[(16, &strings)]);
        stream
            .write_all(&(bytes.len() as u16).to_be_bytes())
            .unwrap();
        stream.write_all(&bytes).unwrap();
    });
    let list = dns("").0.ask_these(&servers(vec![addr]));
    assert_eq!(list, Ok("x".repeat(1000)));
}

#[test]
fn the_settings_say_what_to_ask_for() {
    let (asked, notes) = dns("");
    assert_eq!(asked.source(), "dns_provider for _dynomite.ec2-internal");
    assert_eq!((asked.server, notes), (None, vec![]));
    let (asked, notes) = dns("  dns_name: x.y\n  dns_type: A\n  dns_server: 127.0.0.1:8600\n");
    assert_eq!(asked.source(), "dns_provider for x.y");
    assert_eq!(asked.server, Some("127.0.0.1:8600".parse().unwrap()));
    assert_eq!(notes.len(), 1);
    assert!(notes[0].text.contains("TXT"), "{notes:?}");
    let (asked, _) = dns("  dns_server: fd00::1\n");
    assert_eq!(asked.server, Some("[fd00::1]:53".parse().unwrap()));
}
