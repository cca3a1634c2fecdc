#!/usr/bin/env python3
"""What pyghmi reads from a BMC, as one JSON object.

usage: pyghmi_client.py ADDRESS PORT [on|off|reset]

Logs in as ADMIN with the password ADMIN. With a third argument the power is
changed first.
"""

import json
import signal
import sys

from pyghmi.ipmi import command


def main():
    # It can wait for ever.
    signal.alarm(20)
    address, port = sys.argv[1], int(sys.argv[2])
    bmc = command.Command(bmc=address, port=port, userid="ADMIN", password="ADMIN")
    for state in sys.argv[3:]:
        bmc.set_power(state)
    sensors = [reading for reading in bmc.get_sensor_data() if not reading.unavailable]
    report = {
        "power": bmc.get_power()["powerstate"],
        "sensors": {reading.name: [reading.value, reading.units] for reading in sensors},
        "inventory": dict(bmc.get_inventory()),
        "events": [dict(event) for event in bmc.get_event_log()],
        "boot_device": bmc.get_bootdev()["bootdev"],
    }
    bmc.ipmi_session.logout()
    json.dump(report, sys.stdout, default=str)


if __name__ == "__main__":
    main()
