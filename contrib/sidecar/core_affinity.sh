#!/bin/sh
# Binds the node of /apps/dynomite and its Redis (port 22122) to processors of their own, where
# there are as many: DYNOMITE_CPUS and REDIS_CPUS, lists as taskset(1) takes them, or by
# EC2_INSTANCE_TYPE.
set -u

program=$(cd "$(dirname "$0")/.." && pwd)/bin/dynomite || exit 1
case ${EC2_INSTANCE_TYPE:-} in
r3.xlarge) default_dynomite=2,3 default_redis=1 ;;
*) default_dynomite=2,5,6 default_redis=3,7 ;;
esac

# bind PATTERN PROCESSORS
bind() {
    for pid in $(pgrep -f "$1"); do
        taskset -apc "$2" "$pid"
    done
}

bind "^$program( |\$)" "${DYNOMITE_CPUS:-$default_dynomite}" &&
    bind '(^|/)redis-server .*:22122( |$)' "${REDIS_CPUS:-$default_redis}"
