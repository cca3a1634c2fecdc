# What the scripts beside this one share; each of them sources it. All of them run inside the namespaces that run.sh
# needs, so addresses and ports are fixed and cannot clash with anything outside.

# Everything that is written while the services run. A file system of its own covers it, which ends with the namespace.
RUN=/mnt
PKI=$RUN/pki
# The repository, and what is kept in it between runs.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
KEPT=$ROOT/target/services

# The longest start of one service, in seconds: six times what it takes on a quiet machine with two cores.
PATIENCE=60

# start NAME COMMAND...: leaves a program running in the background; its output goes to $RUN/NAME.log.
start() {
  local name=$1
  shift
  "$@" >"$RUN/$name.log" 2>&1 </dev/null &
  echo $! >"$RUN/$name.pid"
}

# await NAME ADDRESS PORT: waits until the service listens; fails when it has ended or takes too long.
await() {
  local end=$((SECONDS + PATIENCE))
  until (exec 3<>"/dev/tcp/$2/$3") 2>/dev/null; do
    if ! kill -0 "$(cat "$RUN/$1.pid")" 2>/dev/null || ((SECONDS > end)); then
      echo "$1 does not listen at $2:$3" >&2
      return 1
    fi
    sleep 0.05
  done
}

# stop NAME: asks a service to end, and ends it when it does not within 10 s.
stop() {
  local process end=$((SECONDS + 10))
  process=$(cat "$RUN/$1.pid")
  kill "$process" 2>/dev/null || return 0
  while kill -0 "$process" 2>/dev/null; do
    ((SECONDS < end)) || kill -KILL "$process"
    sleep 0.05
  done
}
