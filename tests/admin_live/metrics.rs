//! `/metrics` as Prometheus reads it.

use crate::common::install;
use crate::common::{Plan, words};
use std::process::Stdio;

/// Reads the text with Prometheus' own parser, checks what a scraper relies on, and prints a few values.
const PARSER: &str = "\
import sys, math
from prometheus_client.parser import text_string_to_metric_families
text = sys.stdin.read()
families = list(text_string_to_metric_families(text))
seen = set()
for family in families:
    assert family.name not in seen, family.name
    seen.add(family.name)
    assert family.documentation, family.name
    assert family.type in ('counter', 'gauge', 'histogram', 'summary'), family.type
    buckets = {}
    for sample in family.samples:
        # Only a clock may be behind.
        behind = sample.name == 'dynomite_peer_clock_offset_seconds'
        assert math.isfinite(sample.value) and (behind or sample.value >= 0), sample
        if family.type == 'histogram':
            labels = {k: v for k, v in sample.labels.items() if k != 'le'}
            key = tuple(sorted(labels.items()))
            row = buckets.setdefault(key, {'le': []})
            if sample.name.endswith('_bucket'):
                row['le'].append((float(sample.labels['le']), sample.value))
            else:
                row[sample.name.rsplit('_', 1)[1]] = sample.value
    for key, row in buckets.items():
        bounds = [le for le, _ in row['le']]
        counts = [n for _, n in row['le']]
        assert bounds == sorted(bounds) and bounds[-1] == math.inf, (family.name, key)
        assert counts == sorted(counts) and counts[-1] == row['count'], (family.name, key)
        assert row['sum'] >= 0
by = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}
def value(name, **labels):
    return by[(name, tuple(sorted(labels.items())))]
print(len(families))
print(int(value('dynomite_client_requests_total', **{'class': 'write'})))
print(int(value('dynomite_client_request_duration_seconds_count', **{'class': 'write'})))
print(int(value('dynomite_placed_requests_total', **{'class': 'write', 'consistency': 'DC_QUORUM'})))
print(int(sum(v for (n, l), v in by.items() if n == 'dynomite_peer_up')))
print(int(value('process_start_time_seconds') > 1e9 and value('process_open_fds') > 5 and value('process_resident_memory_bytes') > 1e6))
";

#[test]
fn prometheus_own_parser_reads_every_metric() {
    let cluster = Plan::of(2, 2, 1)
        .with("write_consistency", "DC_QUORUM")
        .start();
    let node = cluster.members[0].node();
    let mut client = node.client();
    for n in 0..10 {
        assert_eq!(client.ask(&format!("set k{n} v")), b"+OK\r\n");
    }
    client.send(&words("get k1"));
    client.reply();
    let text = node.told("/metrics");
    let mut python = match install::python(install::PROMETHEUS_CLIENT) {
        Ok(python) => python,
        Err(reason) => {
            println!("prometheus_client cannot be installed ({reason}): nothing was parsed");
            return;
        }
    };
    let mut child = python
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}\n{text}");
    let said = String::from_utf8(output.stdout).unwrap();
    let families = dynomite::stats::families::FAMILIES.len();
    assert_eq!(said, format!("{families}\n10\n10\n10\n3\n1\n"));
}
