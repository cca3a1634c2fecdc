#!/usr/bin/env python3
"""One BMC of pyghmi's on a loopback port.

usage: pyghmi_bmc.py ADDRESS PORT

Speaks IPMI 2.0 with cipher suite 3 only. The user is ADMIN with the password
ADMIN. Prints `ready` once it serves, and afterwards a line for every change of
the power.
"""

import sys

from pyghmi.ipmi import bmc
from pyghmi.ipmi.private import session


class Bmc(bmc.Bmc):
    """A chassis that does at once what it is told."""

    power = "on"
    boot_device = "default"

    def _switch(self, state):
        self.power = state
        print(state, flush=True)

    def get_power_state(self):
        return self.power

    def power_on(self):
        self._switch("on")

    def power_off(self):
        self._switch("off")

    def power_shutdown(self):
        self._switch("off")

    def power_reset(self):
        self._switch("on")

    def get_boot_device(self):
        return self.boot_device

    def set_boot_device(self, device):
        self.boot_device = device


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    Bmc({"ADMIN": "ADMIN"}, address=address, port=port)
    print("ready", flush=True)
    while True:
        session.Session.wait_for_rsp(1)


if __name__ == "__main__":
    main()
