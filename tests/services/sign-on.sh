#!/bin/bash
# Starts what nginx asks who somebody is, at 127.0.0.1:4180.
set -eu
. "$(dirname "$0")/lib.sh"
start sign-on /usr/bin/python3 "$(dirname "$0")/sign-on.py"
await sign-on 127.0.0.1 4180
