"""Packets of the OpenDCRE device bus (layout of 1.1 and later).

Shared by bus_emulator.py and bus_master.py. Standard library only, and no
input or output of its own: readers are handed a read(count) function, so the
same code works on a serial port and on bytes in memory.
"""

import re
from typing import NamedTuple

HEADER = 0x01
TRAILER = 0x04
MIN_PACKET = 12
MIN_LEN = MIN_PACKET - 3
MAX_DATA = 246          # LEN is one byte and also counts nine fixed bytes

NO_TYPE = 0xFF
NO_DEVICE = 0xFFFF

SCAN_ALL = 0x80000000
SHUFFLE = 0x20000000
SAVE = 0x10000000
SAVE_BOARD = SCAN_ALL | SAVE

TYPE_LED = 0x10
TYPE_SYSTEM = 0x12
TYPE_POWER = 0x40
TYPE_FAN = 0x82
TYPE_CHAMBER_LED = 0x08

PROTOCOLS = ("1.1", "1.2", "1.3")


class BusError(Exception):
    """Base of everything that can go wrong with one exchange."""
    name = "error"


class BusTimeout(BusError):
    name = "timeout"


class ChecksumError(BusError):
    name = "checksum"


class DataError(BusError):
    """Framing is wrong: length, header byte or trailer byte."""
    name = "data"


class PayloadError(BusError):
    """The packet is fine, its data does not mean what it should."""
    name = "payload"


# --- device types -----------------------------------------------------------

_COMMON = {
    "led": 0x10, "power": 0x40, "humidity": 0x4E, "current": 0x90,
    "temperature": 0x9A, "thermistor": 0x9C, "pressure": 0xEE, "none": 0xFF,
}
_KINDS_11 = dict(_COMMON, ipmb=0x12, door_lock=0x82)
_KINDS_12 = dict(_COMMON, system=0x12, fan_speed=0x82)
_KINDS_13 = dict(
    _KINDS_12, vapor_led=0x08, vapor_rectifier=0x48, vapor_battery=0x4A,
    vapor_fan=0x88, power_supply=0xF0, airflow=0xF2)
KINDS = {"1.1": _KINDS_11, "1.2": _KINDS_12, "1.3": _KINDS_13}


def kind_code(name, protocol):
    """Code of a type name; a name without a code travels as FF."""
    return KINDS[protocol].get(name, NO_TYPE)


def kind_name(code, protocol):
    """Name of a type code; an unassigned code reads as "none"."""
    for name, value in KINDS[protocol].items():
        if value == code:
            return name
    return "none"


# --- packets ----------------------------------------------------------------

class Packet(NamedTuple):
    seq: int
    type: int
    board: int
    device: int
    data: bytes = b""

    def encode(self):
        if len(self.data) > MAX_DATA:
            raise ValueError("data longer than %d bytes" % MAX_DATA)
        return seal(
            bytes([self.seq, self.type]) + self.board.to_bytes(4, "big")
            + self.device.to_bytes(2, "big") + self.data)


def checksum(body):
    """The byte that makes the sum of body and itself 0 modulo 256."""
    return -sum(body) & 0xFF


def seal(body):
    """Put header, LEN, checksum and trailer around sequence..data."""
    return (bytes([HEADER, len(body) + 1]) + body
            + bytes([checksum(body), TRAILER]))


def decode(raw):
    """Packet held by raw, which must be exactly one packet.

    The order of the tests matters: a packet that is wrong in two ways has to
    be reported the same way by everyone, and checksum comes before trailer.
    """
    if len(raw) < MIN_PACKET:
        raise DataError("only %d bytes" % len(raw))
    if raw[0] != HEADER:
        raise DataError("header byte is %02X" % raw[0])
    if raw[1] != len(raw) - 3:
        raise DataError("LEN is %d in %d bytes" % (raw[1], len(raw)))
    if checksum(raw[2:-2]) != raw[-2]:
        raise ChecksumError("%02X instead of %02X"
                            % (raw[-2], checksum(raw[2:-2])))
    if raw[-1] != TRAILER:
        raise DataError("trailer byte is %02X" % raw[-1])
    return Packet(raw[2], raw[3], int.from_bytes(raw[4:8], "big"),
                  int.from_bytes(raw[8:10], "big"), bytes(raw[10:-2]))


def hex_text(raw):
    return " ".join("%02X" % byte for byte in raw)


# --- receiving --------------------------------------------------------------

def _need(read, count):
    got = read(count)
    if len(got) < count:
        raise BusTimeout("%d of %d bytes came" % (len(got), count))
    return got


def read_frame(read, skip_noise):
    """Bytes that look like one packet; read(n) may return fewer on timeout."""
    start = _need(read, 1)
    while skip_noise and start[0] != HEADER:
        start = _need(read, 1)
    length = _need(read, 1)
    # A short body is only noticed at the trailer, which then is missing too.
    body = read(length[0])
    return start + length + body + _need(read, 1)


def read_packet(read, protocol, seq):
    """Next reply to the request numbered seq.

    1.1 takes whatever comes first. Later versions step over leading noise
    and over intact packets that belong to another request.
    """
    if protocol == "1.1":
        return decode(read_frame(read, False))
    while True:
        packet = decode(read_frame(read, True))
        if packet.seq == seq:
            return packet


class Framer:
    """Finds valid packets in a byte stream that may contain anything."""

    def __init__(self):
        self._held = b""

    def feed(self, chunk):
        """Add bytes, return the packets that are complete now."""
        self._held += chunk
        packets = []
        while self._held:
            if self._held[0] != HEADER:
                self._skip()
            elif len(self._held) < 2:
                break
            elif self._held[1] < MIN_LEN:
                self._skip()
            elif len(self._held) < self._held[1] + 3:
                break
            else:
                self._take(packets)
        return packets

    def give_up(self):
        """The line went quiet: what looked like a packet start was noise.

        Only the first byte is dropped, because a real packet may follow in
        the bytes that the false LEN had claimed.
        """
        packets = []
        while self._held:
            self._skip()
            packets += self.feed(b"")
        return packets

    def _skip(self):
        self._held = self._held[1:]

    def _take(self, packets):
        size = self._held[1] + 3
        try:
            packets.append(decode(self._held[:size]))
        except BusError:
            self._skip()
        else:
            self._held = self._held[size:]


# --- canned answers of the emulator -----------------------------------------

def fill_raw(values, seq):
    """Bytes of a raw answer: 999 is the sequence, 1000+k a checksum from k."""
    out = bytearray()
    for value in values:
        if value == 999:
            value = seq
        elif 1000 <= value <= 1255:
            value = checksum(out[value - 1000:])
        out.append(value)
    return bytes(out)


def damage(raw):
    """What a collision does to a packet in the emulator's error injection."""
    return bytes(byte if byte in (HEADER, TRAILER) else (byte + 1) % 255
                 for byte in raw)


# --- requests ---------------------------------------------------------------

POWER_ACTIONS = {"off": b"0", "on": b"1", "cycle": b"C", "status": b"?"}
BOOT_ACTIONS = {"status": b"?", "no_override": b"0", "hdd": b"1", "pxe": b"2"}


def scan_all_board(master, time_slice):
    """Board id of a scan-all: two bytes name the master, one the slot."""
    return SCAN_ALL | (master & 0xFFFF) << 8 | (time_slice & 0xFF)


def scan(seq, board):
    return Packet(seq, NO_TYPE, board, NO_DEVICE, b"D")


def save(seq):
    return scan(seq, SAVE_BOARD)


def version(seq, board):
    return Packet(seq, NO_TYPE, board, NO_DEVICE, b"V")


def read(seq, code, board, device):
    return Packet(seq, code, board, device, b"R")


def power(seq, action, board, device, code=TYPE_POWER):
    return Packet(seq, code, board, device, b"P" + POWER_ACTIONS[action])


def asset_get(seq, board, device):
    return Packet(seq, TYPE_POWER, board, device, b"RI")


def asset_set(seq, board, device, text):
    return Packet(seq, TYPE_POWER, board, device, b"WI" + text.encode("ascii"))


def write_led(seq, on, board, device):
    return Packet(seq, TYPE_LED, board, device, b"W1" if on else b"W0")


def write_fan(seq, rpm, board, device):
    # FF stands where a motor pole setting was planned; the rpm text is kept
    # as given, leading zeros included.
    return Packet(seq, TYPE_FAN, board, device, b"W\xff" + rpm.encode("ascii"))


def boot(seq, action, board, device):
    return Packet(seq, TYPE_SYSTEM, board, device, b"B" + BOOT_ACTIONS[action])


def asset_info(seq, board, device):
    return Packet(seq, TYPE_SYSTEM, board, device, b"A")


def host_info(seq, board, device):
    return Packet(seq, TYPE_SYSTEM, board, device, b"H")


def chamber_led(seq, state, rack, color, blink, board, device):
    text = "L" + ",".join((state, rack, color, blink))
    return Packet(seq, TYPE_CHAMBER_LED, board, device, text.encode("ascii"))


def retry(seq, original):
    return original._replace(seq=seq, data=b"?")


# --- meaning of replies -----------------------------------------------------

ASSET_FIELDS = (
    "board_manufacturer", "board_part_number", "board_product_name",
    "board_serial_number", "chassis_type", "chassis_part_number",
    "chassis_serial_number", "product_asset_tag", "product_manufacturer",
    "product_part_number", "product_product_name", "product_serial_number",
    "product_version")


def text_of(data):
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise PayloadError("not ASCII: " + hex_text(data)) from None


def integer(text):
    # int() would also take underscores, which no board means.
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text):
        raise PayloadError("not an integer: %r" % text)
    return int(text)


def decimal(text):
    try:
        return float(text)
    except ValueError:
        raise PayloadError("not a number: %r" % text) from None


def reading_of(data, kind, protocol):
    """Number in a read reply, by the rules of the protocol version."""
    text = text_of(data)
    if protocol == "1.1":
        return integer(text)
    if kind == "temperature" or (protocol == "1.3" and kind == "pressure"):
        return decimal(text)
    return integer(text)


def thermistor_celsius(raw):
    if raw >= 65535:
        raise PayloadError("thermistor value %d out of range" % raw)
    for above, slope, offset in ((745, -0.131, 118.638),
                                 (542, -0.0985, 93.399),
                                 (354, -0.106, 97.66), (218, -0.147, 112.046)):
        if raw > above:
            return round(slope * raw + offset, 2)
    return round(-0.235 * raw + 131.294, 2)


def humidity_values(raw):
    """(percent, celsius) of the 32-bit humidity word."""
    if not 0 <= raw <= 0xFFFFFFFF:
        raise PayloadError("humidity value %d out of range" % raw)
    percent = ((raw >> 16) & 0x3FFF) / 16382 * 100
    celsius = ((raw & 0xFFFF) >> 2) / 16382 * 165 - 40
    return round(percent, 2), round(celsius, 2)


def _direct(raw, m, b, r):
    # Multiplying by 1/m instead of dividing gives the digits clients know.
    return (1.0 / m) * (raw * 10 ** -r - b)


def watts(raw):
    return _direct(raw, 6043, 0, -2)


def volts(raw):
    return _direct(raw, 19199, 0, -2)


def amperes(raw):
    return _direct(raw, 807, 20745, -1)


def power_of(data, protocol):
    fields = text_of(data).split(",")
    if protocol == "1.3" and len(fields) == 2:
        return {"battery_status": fields[0], "charge": integer(fields[1])}
    if len(fields) < 4 or (protocol == "1.3" and len(fields) > 4):
        raise PayloadError("%d power fields" % len(fields))
    raw = [integer(field) for field in fields[:4]]
    status = raw[0]
    return {
        "raw": raw,
        "power_status": "off" if status & 0x40 else "on",
        "power_ok": not status & 0x800,
        "over_current": bool(status & 0x10),
        "under_voltage": bool(status & 0x08),
        "watts": watts(raw[1]), "volts": volts(raw[2]),
        "amperes": amperes(raw[3]),
    }


def asset_info_of(data):
    fields = text_of(data).split(",")
    if len(fields) != len(ASSET_FIELDS):
        raise PayloadError("%d asset fields" % len(fields))
    return dict(zip(ASSET_FIELDS, fields))


def boot_target_of(data):
    for name in ("no_override", "hdd", "pxe"):
        if data == b"B" + BOOT_ACTIONS[name]:
            return name
    raise PayloadError("boot target " + hex_text(data))


def chamber_led_of(data):
    fields = text_of(data).split(",")
    if len(fields) != 3:
        raise PayloadError("%d chamber LED fields" % len(fields))
    return {"state": "on" if fields[0] == "1" else "off", "color": fields[1],
            "blink": "blink" if fields[2] == "1" else "steady"}


def host_info_of(data):
    found = {"hostnames": [], "ip_addresses": []}
    lists = {"h": found["hostnames"], "i": found["ip_addresses"]}
    for field in text_of(data).split(","):
        if field[:1] not in lists:
            raise PayloadError("host info field %r" % field)
        lists[field[0]].append(field[1:])
    return found
