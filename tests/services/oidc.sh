#!/bin/bash
# Starts an OpenID provider at https://sso.test:8443, steered through http://sso.test:8080.
#
# `cargo xtask services` installs what it is made of into target/tools/node.
set -eu
. "$(dirname "$0")/lib.sh"
# Where its scripts find their modules.
home=$ROOT/target/tools/node
cp "$(dirname "$0")"/oidc/*.mjs "$home/"
export TLS_CERTIFICATE=$PKI/server.pem TLS_KEY=$PKI/server.key
start oidc node "$home/provider.mjs"
await oidc 127.0.0.4 8443
await oidc 127.0.0.4 8080
