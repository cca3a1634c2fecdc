#!/bin/bash
# Starts and fills an Active Directory domain controller, Samba's, at dc1.ad.test.
#
# The password of every user is s3cr7t-NAME. Five wrong ones lock an account, for half an hour. To make a domain takes
# so long that it is kept, with everybody in it, for as long as this script and Samba stay the same.
set -eu
. "$(dirname "$0")/lib.sh"
ADDRESS=127.0.0.2
DOMAIN=$RUN/samba
CONFIGURATION=$DOMAIN/smb.conf
BASE=CN=Users,DC=ad,DC=test
ADMINISTRATOR=S3cr7t-administrator
ARCHIVE=$KEPT/domain-$({ cat "$0"; samba --version; } | sha256sum | cut --characters=1-16).tar.gz

configuration() {
  cat <<C
[global]
netbios name = DC1
realm = AD.TEST
workgroup = AD
server role = active directory domain controller
# The least that checks passwords and answers questions.
server services = ldap, cldap, kdc
prefork children = 1
interfaces = $ADDRESS/8
bind interfaces only = yes
private dir = $DOMAIN/private
lock directory = $DOMAIN
state directory = $DOMAIN/state
cache directory = $DOMAIN/cache
binddns dir = $DOMAIN/bind-dns
pid directory = $DOMAIN/pid
ncalrpc dir = $DOMAIN/ncalrpc
winbindd socket directory = $DOMAIN/winbindd
ntp signd socket directory = $DOMAIN/ntp-signd
log file = $DOMAIN/log.%m
tls certfile = $PKI/server.pem
tls keyfile = $PKI/server.key
tls cafile = $PKI/ca.pem
[sysvol]
path = $DOMAIN/state/sysvol
[netlogon]
path = $DOMAIN/state/sysvol/ad.test/scripts
C
}

provision() {
  samba-tool domain provision --targetdir="$DOMAIN" --server-role=dc --use-rfc2307 --dns-backend=NONE \
    --realm=AD.TEST --domain=AD --host-name=dc1 --host-ip=$ADDRESS --adminpass="$ADMINISTRATOR" \
    --option="interfaces=$ADDRESS/8" --option="bind interfaces only=yes"
  mkdir -p "$DOMAIN"/{pid,cache,ncalrpc}
  configuration >"$CONFIGURATION"
  samba-tool domain passwordsettings set --configfile="$CONFIGURATION" --complexity=off --min-pwd-age=0 \
    --account-lockout-threshold=5 --account-lockout-duration=30 --reset-account-lockout-after=30
}

# user NAME [FLAGS]: 512 is a normal account, 514 one that is disabled ([MS-ADTS] 2.2.16).
user() {
  cat <<L
dn: CN=$1,$BASE
changetype: add
objectClass: user
sAMAccountName: $1
userPrincipalName: $1@ad.test
unicodePwd:: $(printf '"s3cr7t-%s"' "$1" | iconv --to-code=UTF-16LE | base64 --wrap=0)
userAccountControl: ${2:-512}

L
}

# group NAME MEMBER...
group() {
  printf 'dn: CN=%s,%s\nchangetype: add\nobjectClass: group\nsAMAccountName: %s\n' "$1" "$BASE" "$1"
  shift
  printf "member: CN=%s,$BASE\n" "$@"
  echo
}

everybody() {
  for name in svc ada bob carol dora gus hugo; do user $name; done
  user ines 514
  group operators ada
  group viewers bob
  # carol is an admin because she is one of the senior staff.
  group senior carol
  group admins senior
}

fill() {
  everybody | LDAPTLS_CACERT=$PKI/ca.pem \
    ldapmodify -x -H ldaps://dc1.ad.test -D Administrator@ad.test -w "$ADMINISTRATOR"
}

serve() {
  # In the foreground, and in the process group of this script.
  start samba samba --configfile="$CONFIGURATION" -F --debug-stdout --no-process-group
  await samba $ADDRESS 636
}

if [ ! -f "$ARCHIVE" ]; then
  mkdir -p "$DOMAIN"
  provision
  serve
  fill
  stop samba
  rm -f "$KEPT"/domain-*.tar.gz
  tar --create --gzip --xattrs --xattrs-include='*' --file="$ARCHIVE.new" --directory="$RUN" samba
  mv "$ARCHIVE.new" "$ARCHIVE"
else
  tar --extract --gzip --xattrs --xattrs-include='*' --file="$ARCHIVE" --directory="$RUN"
fi
serve
