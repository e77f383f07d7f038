#!/bin/sh
# Stops the node of /apps/dynomite and returns when it is gone, within five seconds: requests under
# way have three and a half of them to finish. 0 also if there was none.
set -u

program=$(cd "$(dirname "$0")/.." && pwd)/bin/dynomite || exit 1

# Process ids of the node; fails if there is none.
running() {
    pgrep -f "^$program( |\$)"
}

# signal NAME TIMES SECONDS: succeeds when the node is gone
signal() {
    # shellcheck disable=SC2046
    kill -s "$1" $(running) 2>/dev/null
    times=$2
    while running >/dev/null; do
        [ "$times" -gt 0 ] || return 1
        times=$((times - 1))
        sleep "$3"
    done
}

# The second TERM ends it at once.
signal TERM 35 0.1 || signal TERM 5 0.1 || signal KILL 5 0.1
