#!/bin/bash
# Starts and fills OpenLDAP at ldap.test: ldap:// with StartTLS, and ldaps://.
#
# The password of every user is s3cr7t-NAME. Five wrong ones lock an account for good, as ppolicy does it.
set -eu
. "$(dirname "$0")/lib.sh"
BASE=dc=example,dc=test
ADDRESS=127.0.0.3

configuration() {
  cat <<C
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
loglevel stats
TLSCACertificateFile $PKI/ca.pem
TLSCertificateFile $PKI/server.pem
TLSCertificateKeyFile $PKI/server.key
TLSProtocolMin 3.3
# What takes a password for nothing when it is empty: a client must not rely on the server here.
allow bind_anon_dn
# Nothing without TLS.
security simple_bind=128
database mdb
suffix "$BASE"
rootdn "cn=admin,$BASE"
rootpw s3cr7t-admin
directory $RUN/slapd
maxsize 67108864
index objectClass,uid,member eq
overlay memberof
overlay ppolicy
ppolicy_default "cn=default,ou=policies,$BASE"
access to attrs=userPassword by anonymous auth by * none
access to attrs=entry,objectClass by * read
access to * by dn.exact="uid=svc,ou=people,$BASE" read by self read
C
}

# person UID: an entry whose name needs no quoting.
person() {
  cat <<L
dn: uid=$1,ou=people,$BASE
objectClass: inetOrgPerson
uid: $1
cn: $1
sn: Example
userPassword: $(slappasswd -s "s3cr7t-$1")

L
}

# group NAME MEMBER...: members are given without the end that all have.
group() {
  printf 'dn: cn=%s,ou=groups,%s\nobjectClass: groupOfNames\ncn: %s\n' "$1" "$BASE" "$1"
  shift
  printf "member: %s,$BASE\n" "$@"
  echo
}

entries() {
  cat <<L
dn: $BASE
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,$BASE
objectClass: organizationalUnit
ou: people

dn: ou=groups,$BASE
objectClass: organizationalUnit
ou: groups

dn: ou=policies,$BASE
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,$BASE
objectClass: pwdPolicy
objectClass: device
cn: default
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 5

# Names that mean something in a filter, in a distinguished name, and in no alphabet of 26 letters.
dn: cn=Smith\\, J (QA) \\+ \\"x\\",ou=people,$BASE
objectClass: inetOrgPerson
cn: Smith, J (QA) + "x"
sn: Smith
uid: j*(s)
userPassword: $(slappasswd -s s3cr7t-smith)

dn:: $(printf 'uid=zoë,ou=people,%s' "$BASE" | base64 --wrap=0)
objectClass: inetOrgPerson
uid:: $(printf zoë | base64)
cn:: $(printf zoë | base64)
sn: Example
userPassword: $(slappasswd -s s3cr7t-zoë)

L
  for uid in svc ada bob carol dora gus finn; do person "$uid"; done
  group operators uid=ada,ou=people 'cn=Smith\, J (QA) \+ \"x\",ou=people'
  group viewers uid=bob,ou=people
  # carol is an admin because she is one of the senior staff.
  group senior uid=carol,ou=people
  group admins cn=senior,ou=groups
  # Two groups that hold each other.
  group loop-a cn=loop-b,ou=groups uid=bob,ou=people
  group loop-b cn=loop-a,ou=groups
}

mkdir -p "$RUN/slapd"
configuration >"$RUN/slapd.conf"
# `-d` keeps it in the foreground.
start slapd slapd -d stats -f "$RUN/slapd.conf" -h "ldap://$ADDRESS ldaps://$ADDRESS"
await slapd $ADDRESS 389
await slapd $ADDRESS 636
# Not by slapadd, which leaves memberOf out.
entries | LDAPTLS_CACERT=$PKI/ca.pem ldapadd -x -H ldaps://ldap.test -D "cn=admin,$BASE" -w s3cr7t-admin
