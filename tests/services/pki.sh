#!/bin/bash
# A throw-away PKI: two authorities, the certificate of all servers, those of clients, and lists of revoked ones.
set -eu
. "$(dirname "$0")/lib.sh"
mkdir -p "$PKI"
cd "$PKI"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }

# authority NAME SUBJECT
authority() {
  key "$1"
  openssl req -x509 -key "$1.key" -out "$1.pem" -days 30 -subj "$2" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
  : >"$1.index"
  echo 01 >"$1.number"
}

# A minimal configuration of `openssl ca`, which can date back and revoke; `openssl x509` cannot.
cat >ca.cnf <<'C'
[ca]
default_ca = throw_away
[throw_away]
certificate = $ENV::AUTHORITY.pem
private_key = $ENV::AUTHORITY.key
database = $ENV::AUTHORITY.index
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
# Longer than testssl.sh calls short.
default_days = 90
default_crl_days = 30
# Without a number and extensions, a list is of version 1, which modern programs do not read.
crlnumber = $ENV::AUTHORITY.number
crl_extensions = list
policy = any
copy_extensions = copy
[list]
authorityKeyIdentifier = keyid
[any]
O = optional
OU = optional
CN = supplied
C
export AUTHORITY

# certificate AUTHORITY NAME SUBJECT USE [OPTIONS OF openssl ca...]; more extensions are those of the variable `more`.
certificate() {
  AUTHORITY=$1
  local name=$2 subject=$3 extensions=(-addext "extendedKeyUsage=$4" -addext keyUsage=critical,digitalSignature)
  shift 4
  key "$name"
  extensions+=("${more[@]}")
  openssl req -new -key "$name.key" -subj "$subject" "${extensions[@]}" -out "$name.csr"
  openssl ca -batch -notext -config ca.cnf -in "$name.csr" -out "$name.pem" "$@" 2>>ca.log
}

revoke() { openssl ca -batch -config ca.cnf -revoke "$1.pem" 2>>ca.log; }
list() { openssl ca -config ca.cnf -gencrl -out "$1" 2>>ca.log; }

authority ca "/O=Example/CN=Example CA"
authority other "/O=Example/CN=Example CA 2"

# The names are those of the file hosts. Nobody asks for the list; testssl.sh wants to see that there is one.
names=DNS:ldap.test,DNS:dc1.ad.test,DNS:sso.test,DNS:gateway.example,DNS:sso-gateway.example,IP:127.0.0.1
more=(-addext "subjectAltName=$names" -addext crlDistributionPoints=URI:http://ca.example/ca.crl)
certificate ca server /CN=gateway.example serverAuth
more=()

certificate ca ada /O=Example/OU=operators/CN=ada clientAuth
certificate ca bob /O=Example/OU=viewers/CN=bob clientAuth
certificate ca eve /O=Example/OU=operators/CN=eve clientAuth
certificate ca revoked /O=Example/OU=operators/CN=rex clientAuth
certificate ca expired /O=Example/OU=operators/CN=ada clientAuth \
  -startdate 20200101000000Z -enddate 20200201000000Z
certificate ca server-use /O=Example/OU=operators/CN=ada serverAuth
# The name of ada, by an authority that nobody trusts.
certificate other mallory /O=Example/OU=operators/CN=ada clientAuth
# Whoever orders a certificate chooses the organisation; this one looks like another name in a careless reading.
certificate ca comma "/O=x,CN=ada,OU=operators/OU=viewers/CN=bob" clientAuth

AUTHORITY=ca
revoke revoked
list revoked.crl
revoke eve
list revoked-and-eve.crl
