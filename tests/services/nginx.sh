#!/bin/bash
# Starts nginx at https://gateway.example and https://sso-gateway.example, with the configuration that docs/nginx.md
# shows, in front of 127.0.0.1:5000.
set -eu
. "$(dirname "$0")/lib.sh"
home=$RUN/nginx

# What Debian's own main file says, as far as it matters here, for a folder of our own.
configuration() {
  cat <<C
error_log stderr info;
pid $home/nginx.pid;
events {}
http {
  access_log $home/access.log;
  include conf.d/*.conf;
}
C
}

mkdir -p "$home/conf.d"
configuration >"$home/nginx.conf"
cp "$ROOT"/contrib/nginx/*.conf "$home/conf.d/"
cp -r "$ROOT/contrib/nginx/opendcre" "$home/"
cp "$PKI/server.pem" "$home/opendcre/certificate.pem"
cp "$PKI/server.key" "$home/opendcre/key.pem"
cp "$PKI/ca.pem" "$home/opendcre/clients.pem"
cp "$PKI/revoked.crl" "$home/opendcre/clients.crl"
echo 'proxy_set_header X-OpenDCRE-Proxy-Secret "s3cr7t-of-the-proxy";' >"$home/opendcre/secret.conf"

start nginx nginx -p "$home" -c "$home/nginx.conf" -g 'daemon off;'
await nginx 127.0.0.5 443
