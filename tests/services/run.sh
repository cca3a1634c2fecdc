#!/bin/bash
# run.sh COMMAND...: starts every service, runs a command beside them, and shows what a service wrote if it did not start.
#
# Needs root, and network, process and mount namespaces of its own, which take everything with them when they end:
#   unshare --net --pid --fork --kill-child --mount-proc tests/services/run.sh COMMAND...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

case $ROOT in "$RUN"/*)
  echo "the repository is below $RUN, which the services need" >&2
  exit 1
  ;;
esac
mkdir -p "$KEPT"
mount -t tmpfs -o mode=755 opendcre-services "$RUN"
mount --bind "$here/hosts" /etc/hosts
ip link set lo up

# What services wrote stays readable after the namespace, and with it $RUN, is gone.
keep_logs() {
  rm -rf "$KEPT/log"
  mkdir -p "$KEPT/log"
  cp "$RUN"/*.log "$KEPT/log/"
}
trap keep_logs EXIT

"$here/pki.sh" >"$RUN/pki.log" 2>&1 || { cat "$RUN/pki.log" >&2; exit 1; }

services=(slapd samba oidc sign-on nginx)
for service in "${services[@]}"; do
  "$here/$service.sh" >"$RUN/$service-start.log" 2>&1 &
  starts[$!]=$service
done
for process in "${!starts[@]}"; do
  service=${starts[$process]}
  if ! wait "$process"; then
    echo "$service did not start:" >&2
    tail --lines=50 "$RUN/$service"*.log >&2
    exit 1
  fi
done
# Where the tests find the certificates of the services.
export OPENDCRE_SERVICES=$RUN
echo "services up after $SECONDS s: ${services[*]}"
"$@"
