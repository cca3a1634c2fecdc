#!/usr/bin/env python3
"""Plays all boards of an OpenDCRE device bus on one serial device.

Usage: bus_emulator.py TTY CONFIG.json [--protocol 1.1|1.2|1.3] [--echo]
"""

import argparse
import json
import signal
import sys

import bus_codec as codec

# Quiet time after which an unfinished packet counts as noise. It must stay
# well under the 0.25 s that a master waits for its answer.
QUIET = 0.1

POWER_KINDS = ("power", "vapor_rectifier", "vapor_battery")
SCRIPTED = ("read", "power", "write", "asset_info", "boot_target", "host_info")


def log(text):
    print(text, file=sys.stderr, flush=True)


class Cycle:
    """Hands out list elements one by one; None once it is exhausted."""

    def __init__(self, items, repeatable):
        self.items = items
        self.repeatable = repeatable
        self.position = 0

    def next(self):
        if self.repeatable and self.position >= len(self.items):
            self.position = 0
        if self.position >= len(self.items):
            return None
        self.position += 1
        return self.items[self.position - 1]


class Script:
    """The answers of one device to one action."""

    def __init__(self, spec):
        self.normal = Cycle(spec["responses"], spec.get("repeatable", False))
        retries = spec.get("retry_responses")
        self.retries = None if retries is None else Cycle(retries, True)

    def next(self, retry):
        if retry and self.retries:
            item = self.retries.next()
            return item if isinstance(item, list) else None
        return self.normal.next()


class Device:
    def __init__(self, spec, protocol):
        self.spec = spec
        self.id = int(spec["device_id"], 16)
        self.kind = spec["device_type"]
        self.protocol = protocol
        self.scripts = {
            key: Script(spec[key]) for key in SCRIPTED
            if isinstance(spec.get(key), dict) and "responses" in spec[key]}
        self.stateful = protocol == "1.3" and bool(spec.get("has_state"))
        self.reading = spec.get("read")
        self.boot_target = spec.get("boot_target")
        self.asset_text = spec.get("asset_info")
        self.power_key = "power"
        self.power_cycles = {
            key: Cycle(spec[key], True) for key in ("power", "on", "off")
            if isinstance(spec.get(key), list)}
        self.chambers = {}

    def matches(self, request):
        """Does a request for this device's address mean this device?"""
        if request.device != self.id:
            return False
        if self.protocol == "1.3" and request.data[:1] == b"P":
            return self.kind in POWER_KINDS
        wanted = codec.kind_name(request.type, self.protocol)
        if self.protocol == "1.3" and wanted == "fan_speed":
            return self.kind in ("fan_speed", "vapor_fan")
        return self.kind == wanted

    def scripted(self, key, retry):
        script = self.scripts.get(key)
        return script.next(retry) if script else None

    def has_plain(self, key):
        """Is the key a state of its own rather than a list of answers?"""
        return self.stateful and key in self.spec and key not in self.scripts

    def read(self, retry):
        if self.stateful and not isinstance(self.reading, dict):
            return self.reading
        return self.scripted("read", retry)

    def write(self, data, retry):
        if not self.stateful:
            return self.scripted("write", retry)
        if "write" not in self.spec:
            return None
        text = data[1:]
        if text[:1] == b"\xff":
            text = text[1:]
        self.reading = text.decode("latin-1")
        return "W1"

    def power(self, action, retry):
        if not self.has_plain("power"):
            return self.scripted("power", retry)
        key = {b"1": "on", b"0": "off"}.get(action)
        if key in self.spec:
            self.power_key = key
        cycle = self.power_cycles.get(self.power_key)
        return cycle.next() if cycle else self.spec[self.power_key]

    def boot(self, action, retry):
        if not self.has_plain("boot_target"):
            return self.scripted("boot_target", retry)
        if action in (b"0", b"1", b"2"):
            self.boot_target = "B" + action.decode("ascii")
        return self.boot_target

    def chamber_led(self, data, retry):
        if not self.has_plain("write"):
            return self.scripted("write", retry)
        fields = data[1:].decode("latin-1").split(",")
        if len(fields) != 4:
            return None
        state, rack, color, blink = fields
        if blink != "-1":
            self.chambers[rack] = ",".join((state, color, blink))
        return self.chambers.get(rack, self.spec["write"])


class Board:
    def __init__(self, spec, protocol):
        self.spec = spec
        self.name = spec["board_id"]
        self.id = int(self.name, 16)
        self.firmware = spec.get("firmware_version")
        retries = spec.get("retry_firmware_version", [])
        self.retry_firmware = Cycle(retries, True)
        self.devices = [Device(each, protocol) for each in spec["devices"]]
        self.raw = scan_script(spec.get("raw_data"))
        self.retry_raw = scan_script(spec.get("retry_raw_data"))


def scan_script(raw):
    """Raw scan answers as a cycle of packet lists.

    1.1 has one flat list of bytes; later files nest two levels deeper.
    """
    if raw is None:
        return None
    if all(isinstance(value, int) for value in raw):
        raw = [[raw]]
    return Cycle(raw, True)


class ScanAllFaults:
    """Which board, if any, is garbled in the next answer to a scan-all."""

    def __init__(self, entries):
        self.entries = entries
        self.current = 0
        self.tried = 0

    def failed_board(self, shuffle):
        if not self.entries:
            return None
        entry = self.entries[self.current]
        if not shuffle:
            step = entry["initial"]
            last = step["result"] == "ok"
        else:
            retries = entry.get("retry", [])
            if not retries:
                return None
            step = retries[self.tried]
            self.tried += 1
            last = self.tried == len(retries)
        if last:
            self.current = (self.current + 1) % len(self.entries)
            self.tried = 0
        return step.get("failed_board") if step["result"] == "error" else None


class Emulator:
    def __init__(self, config, protocol, echo=False):
        self.boards = [Board(each, protocol) for each in config["boards"]]
        self.faults = ScanAllFaults(config.get("scanall", []))
        self.protocol = protocol
        self.echo = echo
        self.last = None

    def handle(self, request):
        """Bytes to send for one request, b"" for silence."""
        if request.data[:1] != b"?":
            self.last = request
            return self.answer(request, False)
        if self.protocol == "1.1" or self.last is None:
            return b""
        return self.answer(self.last._replace(seq=request.seq), True)

    def answer(self, request, retry):
        letter = request.data[:1]
        if letter == b"D":
            return self.scan(request, retry)
        if letter == b"V":
            return self.version(request, retry)
        return b"".join(
            self.device_answer(device, request, retry)
            for board in self.boards if board.id == request.board
            for device in board.devices if device.matches(request))

    def device_answer(self, device, request, retry):
        data = request.data
        letter = data[:1]
        if self.protocol == "1.1" and data[:2] in (b"RI", b"WI"):
            return self.asset_text(device, request)
        if data == b"R":
            return self.render(device.read(retry), request)
        if letter == b"P":
            return self.render(device.power(data[1:2], retry), request)
        if self.protocol == "1.1":
            return b""
        if letter == b"W" and len(data) > 1:
            return self.render(device.write(data, retry), request)
        if self.protocol == "1.3":
            return self.render(self.late_answer(device, data, retry), request)
        return b""

    @staticmethod
    def late_answer(device, data, retry):
        """The commands that came with 1.3."""
        if data[:1] == b"L" and device.kind == "vapor_led":
            return device.chamber_led(data, retry)
        if device.kind != "system":
            return None
        if data == b"A":
            return device.scripted("asset_info", retry)
        if data == b"H":
            return device.scripted("host_info", retry)
        if data[:1] == b"B":
            return device.boot(data[1:2], retry)
        return None

    def asset_text(self, device, request):
        if not isinstance(device.asset_text, str):
            return b""
        if request.data[:1] == b"W":
            device.asset_text = request.data[2:].decode("latin-1")
        elif request.data != b"RI":
            return b""
        return self.packet(request, request.type, request.board,
                           request.device, device.asset_text.encode("latin-1"))

    def version(self, request, retry):
        out = b""
        for board in self.boards:
            if board.id == request.board:
                item = board.retry_firmware.next() if retry else board.firmware
                out += self.render(item, request)
        return out

    def scan(self, request, retry):
        if self.protocol != "1.1" and request.board & codec.SAVE:
            return b""
        if not request.board & codec.SCAN_ALL:
            return b"".join(self.board_scan(board, request, retry)
                            for board in self.boards
                            if board.id == request.board)
        failed = None
        if self.protocol != "1.1" and not retry:
            failed = self.faults.failed_board(request.board & codec.SHUFFLE)
        out = b""
        for board in self.boards:
            answer = self.board_scan(board, request, retry)
            out += codec.damage(answer) if board.name == failed else answer
        return out

    def board_scan(self, board, request, retry):
        script = board.retry_raw if retry else board.raw
        if script:
            return b"".join(self.raw(packet, request.seq)
                            for packet in script.next() or [])
        if retry:
            return b""
        out = b""
        for device in board.devices:
            code = codec.kind_code(device.kind, self.protocol)
            out += self.packet(request, code, board.id, device.id,
                               bytes([code]))
        return out

    def render(self, item, request):
        """One configured answer as bytes: silence, verbatim or a packet."""
        if item is None:
            return b""
        if isinstance(item, list):
            return self.raw(item, request.seq)
        header = (codec.NO_TYPE, 0, codec.NO_DEVICE)
        if self.echo:
            header = (request.type, request.board, request.device)
        return self.packet(request, *header, str(item).encode("latin-1"))

    def packet(self, request, code, board, device, data):
        seq = 1 if self.protocol == "1.1" else request.seq
        return codec.Packet(seq, code, board, device, data).encode()

    @staticmethod
    def raw(values, seq):
        return codec.fill_raw(values, seq)


def serve(port, emulator):
    framer = codec.Framer()
    while True:
        chunk = port.read(1)
        if chunk:
            chunk += port.read(port.in_waiting)
            packets = framer.feed(chunk)
        else:
            packets = framer.give_up()
        for request in packets:
            log("request " + codec.hex_text(request.encode()))
            answer = reply(emulator, request)
            if answer:
                port.write(answer)


def reply(emulator, request):
    # A mistake in the configuration must cost one answer, not the process.
    try:
        return emulator.handle(request)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        log("no answer: %s: %s" % (type(error).__name__, error))
        return b""


def stop(signum, frame):
    sys.exit(0)


def main():
    parser = argparse.ArgumentParser(description="OpenDCRE bus emulator")
    parser.add_argument("tty")
    parser.add_argument("config")
    parser.add_argument("--protocol", choices=codec.PROTOCOLS, default="1.1")
    parser.add_argument("--echo", action="store_true",
                        help="use board, device and type of the request")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    with open(options.config, encoding="utf-8") as source:
        emulator = Emulator(json.load(source), options.protocol, options.echo)

    import serial
    try:
        port = serial.Serial(options.tty, 115200, timeout=QUIET)
        port.reset_input_buffer()
        print("ready", flush=True)
        serve(port, emulator)
    except serial.SerialException as error:
        sys.exit("bus_emulator: %s" % error)


if __name__ == "__main__":
    main()
