#!/usr/bin/env python3
"""Sends commands to an OpenDCRE device bus and prints the replies as JSON.

Usage: bus_master.py [OPTIONS] TTY [OPTIONS] COMMAND... [-- COMMAND...]...

Options: --protocol 1.1|1.2|1.3, --strict, --timeout SECONDS

  scan [BOARD]                      all boards when BOARD is left out
  version BOARD
  read KIND BOARD DEVICE
  power ACTION BOARD DEVICE [KIND]  on, off, cycle, status
  asset-get BOARD DEVICE
  asset-set BOARD DEVICE TEXT
  write-led on|off BOARD DEVICE
  write-fan RPM BOARD DEVICE
  boot ACTION BOARD DEVICE          status, no_override, hdd, pxe
  asset-info BOARD DEVICE
  host-info BOARD DEVICE
  chamber-led STATE RACK COLOR BLINK BOARD DEVICE
                                    on, off, no_override; 6 hex digits or
                                    no_override; blink, steady, no_override
  raw HEX...                        send bytes, show what comes in 0.3 s

BOARD and DEVICE are hexadecimal. Exit status: 0 all commands succeeded,
1 at least one failed, 2 wrong usage.
"""

import argparse
import inspect
import json
import re
import sys
import time
import uuid

import bus_codec as codec

RETRIES = 3
SCAN_ATTEMPTS = 3
TIME_SLICE = 75
SETTLE = 0.15           # lets late slots run out before a scan is repeated
RAW_WINDOW = 0.3


class UsageError(Exception):
    pass


class Mismatch(codec.BusError):
    name = "mismatch"


class Refused(codec.BusError):
    name = "refused"


class Link:
    """Serial port plus the running sequence number."""

    def __init__(self, port, protocol, strict):
        self.port = port
        self.protocol = protocol
        self.strict = strict
        self.seq = 0

    def next_seq(self):
        self.seq = (self.seq + 1) % 255
        return self.seq

    def send(self, packet):
        self.port.write(packet.encode())

    def flush(self):
        # Input only: what waits for the wire, such as a save, must go out.
        self.port.reset_input_buffer()

    def receive(self, request):
        return codec.read_packet(self.port.read, self.protocol, request.seq)

    def exchange(self, request):
        """One command and its reply, with "?" retries from 1.2 on."""
        self.flush()
        retries = 0 if self.protocol == "1.1" else RETRIES
        sent = request
        while True:
            self.send(sent)
            try:
                packet = self.receive(sent)
                break
            except (codec.DataError, codec.ChecksumError):
                if not retries:
                    raise
            retries -= 1
            # The rest of a broken reply must not be read as the next one.
            self.flush()
            sent = codec.retry(self.next_seq(), request)
        if self.strict:
            check_same(sent, packet, ("seq", "type", "board", "device"))
        return packet

    def scan(self, board):
        request = codec.scan(self.next_seq(), board)
        scan_all = bool(board & codec.SCAN_ALL)
        self.flush()
        for attempt in range(SCAN_ATTEMPTS):
            self.send(request)
            try:
                packets = self.collect(request)
                break
            except (codec.DataError, codec.ChecksumError):
                if attempt == SCAN_ATTEMPTS - 1:
                    raise
            if self.protocol != "1.1":
                time.sleep(SETTLE)
            self.flush()
            # 1.1 marks every repetition, although that changes the address
            # of a single board and so leaves it unanswered.
            if scan_all or self.protocol == "1.1":
                request = request._replace(board=board | codec.SHUFFLE)
        if scan_all and self.protocol != "1.1":
            self.send(codec.save(self.next_seq()))
        for packet in packets:
            check_scan_reply(request, packet, self.strict)
        return packets

    def collect(self, request):
        """Scan replies up to the timeout that ends every scan."""
        packets = [self.receive(request)]
        while True:
            try:
                packets.append(self.receive(request))
            except codec.BusTimeout:
                return packets

    def raw(self, data):
        self.flush()
        self.port.write(data)
        end = time.monotonic() + RAW_WINDOW
        got = b""
        while time.monotonic() < end:
            waiting = self.port.in_waiting
            if waiting:
                got += self.port.read(waiting)
            else:
                time.sleep(0.005)
        return got


def check_same(request, packet, names):
    for name in names:
        wanted, got = getattr(request, name), getattr(packet, name)
        if wanted != got:
            raise Mismatch("%s %X instead of %X" % (name, got, wanted))


def check_scan_reply(request, packet, strict):
    """The device type of a scan reply counts twice: in header and data."""
    if not packet.data:
        raise codec.PayloadError("scan reply without data")
    if strict:
        names = ["seq", "type"]
        if not request.board & codec.SCAN_ALL:
            names.append("board")
        check_same(request._replace(type=packet.data[0]), packet, names)


def header(packet):
    return {"seq": packet.seq, "type": "%02x" % packet.type,
            "board": "%08x" % packet.board, "device": "%04x" % packet.device}


# --- words of the command line ----------------------------------------------

def hex_id(word, limit):
    if not re.fullmatch("[0-9A-Fa-f]+", word):
        raise UsageError("not a hexadecimal id: " + word)
    value = int(word, 16)
    if value > limit:
        raise UsageError("id out of range: " + word)
    return value


def address(board, device):
    return hex_id(board, 0xFFFFFFFF), hex_id(device, 0xFFFF)


def choice(word, choices):
    if word not in choices:
        raise UsageError("%s is none of %s" % (word, ", ".join(choices)))
    return choices[word] if isinstance(choices, dict) else word


# --- commands: each takes its words and returns a function of the link -------

def simple(build, decode):
    """A command of one request and one reply.

    build(seq) makes the request; it is tried once at once, so that a wrong
    argument is reported before anything is sent.
    """
    try:
        build(0).encode()
    except (ValueError, UnicodeEncodeError) as error:
        raise UsageError(str(error)) from None

    def run(link):
        packet = link.exchange(build(link.next_seq()))
        return dict(header(packet), payload=decode(packet.data))
    return run


def scan_command(protocol, board=None):
    if board is None:
        target = codec.scan_all_board(uuid.getnode(), TIME_SLICE)
    else:
        target = hex_id(board, 0xFFFFFFFF)

    def run(link):
        packets = link.scan(target)
        return {"headers": [header(packet) for packet in packets],
                "payload": scan_rows(packets, protocol)}
    return run


def scan_rows(packets, protocol):
    """[board, device, kind] rows, boards in order of first appearance."""
    order = []
    for packet in packets:
        if packet.board not in order:
            order.append(packet.board)
    ranked = sorted(packets, key=lambda packet: order.index(packet.board))
    return [["%08x" % packet.board, "%04x" % packet.device,
             codec.kind_name(packet.data[0], protocol)] for packet in ranked]


def version_command(protocol, board):
    target = hex_id(board, 0xFFFFFFFF)
    return simple(lambda seq: codec.version(seq, target), codec.text_of)


def read_command(protocol, kind, board, device):
    where = address(board, device)
    code = codec.kind_code(kind, protocol)
    return simple(lambda seq: codec.read(seq, code, *where),
                  lambda data: reading(data, kind, protocol))


def reading(data, kind, protocol):
    value = codec.reading_of(data, kind, protocol)
    result = {"text": codec.text_of(data), "value": value}
    if kind == "thermistor":
        result["temperature_c"] = codec.thermistor_celsius(value)
    elif kind == "humidity" and protocol != "1.1":
        percent, celsius = codec.humidity_values(value)
        result.update(humidity=percent, temperature_c=celsius)
    elif kind == "led" and protocol != "1.1":
        if value not in (0, 1):
            raise codec.PayloadError("led state %d" % value)
        result["led_state"] = "on" if value else "off"
    return result


def power_command(protocol, action, board, device, kind="power"):
    choice(action, codec.POWER_ACTIONS)
    where = address(board, device)
    code = codec.kind_code(kind, protocol)
    return simple(lambda seq: codec.power(seq, action, *where, code),
                  lambda data: codec.power_of(data, protocol))


def asset_get_command(protocol, board, device):
    where = address(board, device)
    return simple(lambda seq: codec.asset_get(seq, *where), codec.text_of)


def asset_set_command(protocol, board, device, text):
    where = address(board, device)
    if len(text) > 127:
        raise UsageError("asset text longer than 127 characters")
    return simple(lambda seq: codec.asset_set(seq, *where, text),
                  codec.text_of)


def accepted(data):
    if data != b"W1":
        raise Refused("reply " + repr(data.decode("latin-1")))
    return "W1"


def write_led_command(protocol, state, board, device):
    on = choice(state, {"on": True, "off": False})
    where = address(board, device)
    return simple(lambda seq: codec.write_led(seq, on, *where), accepted)


def write_fan_command(protocol, rpm, board, device):
    where = address(board, device)
    if not re.fullmatch("[0-9]+", rpm) or int(rpm) > 10000:
        raise UsageError("rpm must be 0 to 10000")
    return simple(lambda seq: codec.write_fan(seq, rpm, *where), accepted)


def boot_command(protocol, action, board, device):
    choice(action, codec.BOOT_ACTIONS)
    where = address(board, device)
    return simple(lambda seq: codec.boot(seq, action, *where),
                  codec.boot_target_of)


def asset_info_command(protocol, board, device):
    where = address(board, device)
    return simple(lambda seq: codec.asset_info(seq, *where),
                  codec.asset_info_of)


def host_info_command(protocol, board, device):
    where = address(board, device)
    return simple(lambda seq: codec.host_info(seq, *where),
                  codec.host_info_of)


def chamber_led_command(protocol, state, rack, color, blink, board, device):
    where = address(board, device)
    state = choice(state, {"on": "1", "off": "0", "no_override": "-1"})
    blink = choice(blink, {"blink": "1", "steady": "0", "no_override": "-1"})
    if color == "no_override":
        color = "-1"
    elif not re.fullmatch("[0-9A-Fa-f]{6}", color):
        raise UsageError("color must have 6 hexadecimal digits: " + color)
    return simple(
        lambda seq: codec.chamber_led(seq, state, rack, color, blink, *where),
        codec.chamber_led_of)


def raw_command(protocol, *words):
    try:
        data = bytes.fromhex(" ".join(words))
    except ValueError:
        raise UsageError("not hexadecimal bytes: " + " ".join(words)) from None
    return lambda link: {"payload": codec.hex_text(link.raw(data))}


COMMANDS = {
    "scan": scan_command, "version": version_command, "read": read_command,
    "power": power_command, "asset-get": asset_get_command,
    "asset-set": asset_set_command, "write-led": write_led_command,
    "write-fan": write_fan_command, "boot": boot_command,
    "asset-info": asset_info_command, "host-info": host_info_command,
    "chamber-led": chamber_led_command, "raw": raw_command,
}


# --- program ----------------------------------------------------------------

def split_words(words):
    """Word lists of the commands, which stand between "--" words."""
    groups = [[]]
    for word in words:
        if word == "--":
            groups.append([])
        else:
            groups[-1].append(word)
    return [group for group in groups if group]


def prepare(words, protocol):
    if words[0] not in COMMANDS:
        raise UsageError("unknown command: " + words[0])
    command = COMMANDS[words[0]]
    try:
        inspect.signature(command).bind(protocol, *words[1:])
    except TypeError:
        raise UsageError("wrong number of arguments: "
                         + " ".join(words)) from None
    return command(protocol, *words[1:])


def run(link, words, action):
    report = {"command": words}
    try:
        report.update(ok=True, result=action(link))
    except codec.BusError as error:
        report.update(ok=False, error=error.name, detail=str(error))
    return report


def parse(argv):
    """(options, command words); the first command name ends the options."""
    first = next((index for index, word in enumerate(argv)
                  if index and word in COMMANDS), len(argv))
    parser = argparse.ArgumentParser(
        usage=__doc__.partition("Usage: ")[2].partition("\n")[0],
        description=__doc__.partition("SECONDS")[2], allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tty")
    parser.add_argument("--protocol", choices=codec.PROTOCOLS, default="1.1")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--timeout", type=float, default=0.25)
    options = parser.parse_args(argv[:first])
    if first == len(argv):
        parser.error("no command")
    return options, argv[first:]


def main(argv):
    options, words = parse(argv)
    try:
        jobs = [(group, prepare(group, options.protocol))
                for group in split_words(words)]
    except UsageError as error:
        print("bus_master: %s" % error, file=sys.stderr)
        return 2

    import serial
    port = serial.Serial(options.tty, 115200, timeout=options.timeout)
    link = Link(port, options.protocol, options.strict)
    failed = False
    for group, action in jobs:
        report = run(link, group, action)
        failed = failed or not report["ok"]
        print(json.dumps(report), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
