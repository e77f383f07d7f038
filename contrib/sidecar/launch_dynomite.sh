#!/bin/sh
# Starts the node of /apps/dynomite for dynomite-manager, and returns when it serves: 0, or what the
# node exited with. A node that runs already is left alone.
#
# Environment: MBUF_SIZE, ALLOC_MSGS (what -m and -M get; not given, the node's defaults hold),
# EC2_INSTANCE_TYPE (of the r3 family: chooses ALLOC_MSGS, and processors by core_affinity.sh),
# LOG_DIR (default /logs/system/dynomite), DYN_USER (who runs the node; default: the owner of this
# script, or dynomite where that is root).
set -u

DYN_DIR=$(cd "$(dirname "$0")/.." && pwd) || exit 1
LOG_DIR=${LOG_DIR:-/logs/system/dynomite}
program=$DYN_DIR/bin/dynomite

if pgrep -f "^$program( |\$)" >/dev/null; then
    echo "dynomite runs already"
    exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
    if [ -z "${DYN_USER:-}" ]; then
        DYN_USER=$(stat -L -c %U "$0")
        [ "$DYN_USER" != root ] || DYN_USER=dynomite
    fi
    mkdir -p "$LOG_DIR" && chown "$DYN_USER" "$LOG_DIR" || exit 1
    set -- runuser -u "$DYN_USER" --
else
    mkdir -p "$LOG_DIR" || exit 1
    set --
fi

# The log of the run before.
if [ -e "$LOG_DIR/dynomite.log" ]; then
    mv "$LOG_DIR/dynomite.log" "$LOG_DIR/dynomite-$(date +%Y%m%d_%H%M%S).log" || exit 1
fi

if [ -z "${ALLOC_MSGS:-}" ]; then
    case ${EC2_INSTANCE_TYPE:-} in
    r3.xlarge) ALLOC_MSGS=100000 ;;
    r3.2xlarge) ALLOC_MSGS=300000 ;;
    r3.4xlarge) ALLOC_MSGS=800000 ;;
    r3.8xlarge) ALLOC_MSGS=1000000 ;;
    esac
fi

set -- "$@" "$program" -d -c "$DYN_DIR/conf/dynomite.yml"
[ -z "${MBUF_SIZE:-}" ] || set -- "$@" "-m$MBUF_SIZE"
[ -z "${ALLOC_MSGS:-}" ] || set -- "$@" "-M$ALLOC_MSGS"
"$@" "--output=$LOG_DIR/dynomite.log" || exit

# A node on any processor is better than none.
[ -z "${EC2_INSTANCE_TYPE:-}" ] || "$DYN_DIR/bin/core_affinity.sh" || true
