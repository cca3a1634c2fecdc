#!/usr/bin/env python3
"""Tests of the peer itself: codec against known packets, then both programs
against each other over a pair of pseudo terminals (needs socat, pyserial).
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import bus_codec as codec
import bus_emulator

HERE = os.path.dirname(os.path.abspath(__file__))
POWER_DEVICE = (0x01, 0x0DFF)

THERMISTOR = codec.kind_code("thermistor", "1.1")
HUMIDITY = codec.kind_code("humidity", "1.1")
RECTIFIER = codec.kind_code("vapor_rectifier", "1.3")
BATTERY = codec.kind_code("vapor_battery", "1.3")


def reply(seq, code, board, device, text):
    return codec.Packet(seq, code, board, device, text.encode("ascii"))


def scan_reply(board, device, code):
    return codec.Packet(1, code, board, device, bytes([code]))


def shuffled(packet):
    return packet._replace(board=packet.board | codec.SHUFFLE)


# Number, packet, its bytes. Requests come from the same builders the master
# uses, so these lines check the builders too.
VECTORS = [
    (1, codec.scan(1, 1), "01 0A 01 FF 00 00 00 01 FF FF 44 BD 04"),
    (2, scan_reply(1, 0x01FF, THERMISTOR),
     "01 0A 01 9C 00 00 00 01 01 FF 9C C6 04"),
    (3, scan_reply(1, 0x0DFF, codec.TYPE_POWER),
     "01 0A 01 40 00 00 00 01 0D FF 40 72 04"),
    (4, scan_reply(1, 0x02FF, codec.NO_TYPE),
     "01 0A 01 FF 00 00 00 01 02 FF FF FF 04"),
    (5, codec.scan(2, codec.scan_all_board(0x5678, 75)),
     "01 0A 02 FF 80 56 78 4B FF FF 44 24 04"),
    (6, shuffled(codec.scan(2, codec.scan_all_board(0x5678, 75))),
     "01 0A 02 FF A0 56 78 4B FF FF 44 04 04"),
    (7, codec.save(3), "01 0A 03 FF 90 00 00 00 FF FF 44 2C 04"),
    (8, codec.version(0x0A, 1), "01 0A 0A FF 00 00 00 01 FF FF 56 A2 04"),
    (9, reply(1, 0xFF, 0, 0xFFFF, "v1.1"),
     "01 0D 01 FF 00 00 00 00 FF FF 76 31 2E 31 FC 04"),
    (10, reply(1, 0xFF, 0, 0xFFFF, ""), "01 09 01 FF 00 00 00 00 FF FF 02 04"),
    (11, reply(0x0A, 0xFF, 1, 0xFFFF, "PLC fw 3.2"),
     "01 13 0A FF 00 00 00 01 FF FF 50 4C 43 20 66 77 20 33 2E 32 69 04"),
    (12, codec.read(0x0B, THERMISTOR, 1, 0x01FF),
     "01 0A 0B 9C 00 00 00 01 01 FF 52 06 04"),
    (13, reply(0x0B, THERMISTOR, 1, 0x01FF, "656"),
     "01 0C 0B 9C 00 00 00 01 01 FF 36 35 36 B7 04"),
    (14, reply(1, 0xFF, 0, 0xFFFF, "656"),
     "01 0C 01 FF 00 00 00 00 FF FF 36 35 36 61 04"),
    (15, codec.read(0xFE, HUMIDITY, 0x0C, 0x0203),
     "01 0A FE 4E 00 00 00 0C 02 03 52 51 04"),
    (16, reply(0xFE, HUMIDITY, 0x0C, 0x0203, "1486313281"),
     "01 13 FE 4E 00 00 00 0C 02 03 31 34 38 36 33 31 33 32 38 31 9E 04"),
    (17, codec.read(0x10, codec.kind_code("no such kind", "1.1"), 1, 0x0300),
     "01 0A 10 FF 00 00 00 01 03 00 52 9B 04"),
    (18, codec.power(0x11, "status", *POWER_DEVICE),
     "01 0B 11 40 00 00 00 01 0D FF 50 3F 13 04"),
    (19, codec.power(0x12, "on", *POWER_DEVICE),
     "01 0B 12 40 00 00 00 01 0D FF 50 31 20 04"),
    (20, codec.power(0x13, "off", *POWER_DEVICE),
     "01 0B 13 40 00 00 00 01 0D FF 50 30 20 04"),
    (21, codec.power(0x14, "cycle", *POWER_DEVICE),
     "01 0B 14 40 00 00 00 01 0D FF 50 43 0C 04"),
    (22, reply(0x11, 0x40, *POWER_DEVICE, "0,12000,2400,3356"),
     "01 1A 11 40 00 00 00 01 0D FF 30 2C 31 32 30 30 30 2C 32 34 30 30 2C "
     "33 33 35 36 64 04"),
    (23, reply(0x14, 0x40, *POWER_DEVICE, "2072,0,0,0"),
     "01 13 14 40 00 00 00 01 0D FF 32 30 37 32 2C 30 2C 30 2C 30 C0 04"),
    (24, codec.asset_get(0x15, *POWER_DEVICE),
     "01 0B 15 40 00 00 00 01 0D FF 52 49 03 04"),
    (25, reply(0x15, 0x40, *POWER_DEVICE, "rack7-u12"),
     "01 12 15 40 00 00 00 01 0D FF 72 61 63 6B 37 2D 75 31 32 C1 04"),
    (26, codec.asset_set(0x16, *POWER_DEVICE, "10.0.0.9"),
     "01 13 16 40 00 00 00 01 0D FF 57 49 31 30 2E 30 2E 30 2E 39 79 04"),
    (27, reply(0x16, 0x40, *POWER_DEVICE, "10.0.0.9"),
     "01 11 16 40 00 00 00 01 0D FF 31 30 2E 30 2E 30 2E 39 19 04"),
    (28, codec.write_led(0x20, True, 1, 5),
     "01 0B 20 10 00 00 00 01 00 05 57 31 42 04"),
    (29, codec.write_led(0x21, False, 1, 5),
     "01 0B 21 10 00 00 00 01 00 05 57 30 42 04"),
    (30, codec.write_fan(0x22, "4100", 1, 2),
     "01 0F 22 82 00 00 00 01 00 02 57 FF 34 31 30 30 3E 04"),
    (31, codec.retry(0x23, codec.read(0x0B, THERMISTOR, 1, 0x01FF)),
     "01 0A 23 9C 00 00 00 01 01 FF 3F 01 04"),
    (32, codec.retry(0x24, codec.version(0x0A, 1)),
     "01 0A 24 FF 00 00 00 01 FF FF 3F 9F 04"),
    (33, codec.asset_info(0x30, 0x50, 1),
     "01 0A 30 12 00 00 00 50 00 01 41 2C 04"),
    (34, codec.boot(0x31, "status", 0x40, 1),
     "01 0B 31 12 00 00 00 40 00 01 42 3F FB 04"),
    (35, reply(0x31, 0x12, 0x40, 1, "B1"),
     "01 0B 31 12 00 00 00 40 00 01 42 31 09 04"),
    (36, codec.boot(0x32, "pxe", 0x40, 1),
     "01 0B 32 12 00 00 00 40 00 01 42 32 07 04"),
    (37, codec.boot(0x34, "no_override", 0x40, 1),
     "01 0B 34 12 00 00 00 40 00 01 42 30 07 04"),
    (38, codec.chamber_led(0x35, "1", "3", "ff8800", "1", 0x70, 1),
     "01 16 35 08 00 00 00 70 00 01 4C 31 2C 33 2C 66 66 38 38 30 30 2C 31 "
     "51 04"),
    (39, reply(0x35, 0x08, 0x70, 1, "1,ff8800,1"),
     "01 13 35 08 00 00 00 70 00 01 31 2C 66 66 38 38 30 30 2C 31 FC 04"),
    (40, codec.chamber_led(0x36, "-1", "rack_1", "-1", "-1", 0x70, 1),
     "01 19 36 08 00 00 00 70 00 01 4C 2D 31 2C 72 61 63 6B 5F 31 2C 2D 31 "
     "2C 2D 31 36 04"),
    (41, codec.host_info(0x37, 0x90, 1),
     "01 0A 37 12 00 00 00 90 00 01 48 DE 04"),
    (42, reply(0x37, 0x12, 0x90, 1, "hnode4,i10.2.0.4"),
     "01 19 37 12 00 00 00 90 00 01 68 6E 6F 64 65 34 2C 69 31 30 2E 32 2E "
     "30 2E 34 CE 04"),
    (43, codec.power(0x38, "status", 0x60, 1, RECTIFIER),
     "01 0B 38 48 00 00 00 60 00 01 50 3F 90 04"),
    (44, reply(0x39, BATTERY, 0x61, 1, "charging,88"),
     "01 14 39 4A 00 00 00 61 00 01 63 68 61 72 67 69 6E 67 2C 38 38 3C 04"),
]

# 1.0 packets have other fields between LEN and checksum, but the same frame.
OLD_LAYOUT = [
    (45, bytes([1, 0xFF, 1, 0xFF, 0xFF]) + b"D",
     "01 07 01 FF 01 FF FF 44 BD 04"),
    (46, bytes([1, 0x9C, 1, 1, 0xFF]) + b"R",
     "01 07 01 9C 01 01 FF 52 10 04"),
]

BAD_CHECKSUM = bytes.fromhex("010A019C0000000101FF9CC704")
BAD_TRAILER = bytes.fromhex("010A019C0000000101FF9CC603")
LEADING_NOISE = bytes.fromhex("000203010C2AFF00000000FFFF3635363804")
NO_TRAILER = bytes.fromhex("010A019C0000000101FF9CC6")


def receive(raw, protocol, seq=1):
    return codec.read_packet(io.BytesIO(raw).read, protocol, seq)


class PacketTest(unittest.TestCase):
    def test_encode(self):
        for number, packet, text in VECTORS:
            with self.subTest(vector=number):
                self.assertEqual(codec.hex_text(packet.encode()), text)

    def test_decode(self):
        for number, packet, text in VECTORS:
            for protocol in codec.PROTOCOLS:
                with self.subTest(vector=number, protocol=protocol):
                    raw = bytes.fromhex(text)
                    self.assertEqual(codec.decode(raw), packet)
                    self.assertEqual(receive(raw, protocol, packet.seq),
                                     packet)

    def test_old_layout_frame(self):
        for number, body, text in OLD_LAYOUT:
            with self.subTest(vector=number):
                self.assertEqual(codec.hex_text(codec.seal(body)), text)

    def test_every_vector_is_here(self):
        numbers = [entry[0] for entry in VECTORS + OLD_LAYOUT]
        self.assertEqual(numbers, list(range(1, 47)))

    def test_write_replies_equal_requests(self):
        for number, text in ((28, "W1"), (29, "W0")):
            request = VECTORS[number - 1][1]
            self.assertEqual(request, request._replace(data=text.encode()))

    def test_n1_bad_checksum(self):
        for protocol in codec.PROTOCOLS:
            with self.assertRaises(codec.ChecksumError):
                receive(BAD_CHECKSUM, protocol)

    def test_n2_bad_trailer(self):
        for protocol in codec.PROTOCOLS:
            with self.assertRaises(codec.DataError):
                receive(BAD_TRAILER, protocol)

    def test_n3_leading_noise(self):
        with self.assertRaises(codec.DataError):
            receive(LEADING_NOISE, "1.1", 0x2A)
        for protocol in ("1.2", "1.3"):
            packet = receive(LEADING_NOISE, protocol, 0x2A)
            self.assertEqual((packet.seq, packet.data), (0x2A, b"656"))

    def test_n4_no_trailer(self):
        for protocol in codec.PROTOCOLS:
            with self.assertRaises(codec.BusTimeout):
                receive(NO_TRAILER, protocol)

    def test_checksum_is_tested_before_trailer(self):
        with self.assertRaises(codec.ChecksumError):
            receive(BAD_CHECKSUM[:-1] + b"\x03", "1.1")

    def test_unexpected_sequence(self):
        stream = codec.version(7, 1).encode() + codec.version(8, 1).encode()
        self.assertEqual(receive(stream, "1.1", 8).seq, 7)
        self.assertEqual(receive(stream, "1.3", 8).seq, 8)

    def test_data_limit(self):
        longest = codec.Packet(1, 0xFF, 0, 0xFFFF, b"x" * codec.MAX_DATA)
        self.assertEqual(codec.decode(longest.encode()), longest)
        with self.assertRaises(ValueError):
            longest._replace(data=b"x" * (codec.MAX_DATA + 1)).encode()


class FramerTest(unittest.TestCase):
    def setUp(self):
        self.framer = codec.Framer()
        self.packet = codec.version(9, 1)

    def test_byte_by_byte(self):
        found = []
        for byte in self.packet.encode():
            found += self.framer.feed(bytes([byte]))
        self.assertEqual(found, [self.packet])

    def test_two_at_once_between_noise(self):
        raw = self.packet.encode()
        self.assertEqual(self.framer.feed(b"\x00\x01" + raw + b"\x04" + raw),
                         [self.packet] * 2)

    def test_corrupt_packet_is_stepped_over(self):
        stream = BAD_CHECKSUM + BAD_TRAILER + self.packet.encode()
        # The first corrupt packet holds a false start with a large LEN.
        found = self.framer.feed(stream) + self.framer.give_up()
        self.assertEqual(found, [self.packet])

    def test_false_start_is_given_up(self):
        self.assertEqual(self.framer.feed(b"\x01\xff" + self.packet.encode()),
                         [])
        self.assertEqual(self.framer.give_up(), [self.packet])


class CannedAnswerTest(unittest.TestCase):
    def test_sentinels(self):
        noisy = [0, 2, 3, 1, 12, 999, 255, 0, 0, 0, 0, 255, 255, 54, 53, 54,
                 1005, 4]
        self.assertEqual(codec.fill_raw(noisy, 0x2A), LEADING_NOISE)
        clean = [1, 10, 999, 156, 0, 0, 0, 7, 1, 255, 156, 1002, 4]
        self.assertEqual(codec.hex_text(codec.fill_raw(clean, 5)),
                         "01 0A 05 9C 00 00 00 07 01 FF 9C BC 04")

    def test_damage(self):
        good = bytes.fromhex("010A029A00000011 20019A9804")
        self.assertEqual(codec.hex_text(codec.damage(good)),
                         "01 0B 03 9B 01 01 01 12 21 01 9B 99 04")

    def test_scan_all_faults(self):
        error = {"result": "error", "failed_board": "11"}
        script = bus_emulator.ScanAllFaults([
            {"initial": {"result": "ok"}},
            {"initial": error, "retry": [error, {"result": "ok"}]}])
        for _ in range(2):
            self.assertIsNone(script.failed_board(False))
            self.assertEqual(script.failed_board(False), "11")
            self.assertEqual(script.failed_board(True), "11")
            self.assertIsNone(script.failed_board(True))


class MeaningTest(unittest.TestCase):
    def test_kinds_of_versions(self):
        for code, names in ((0x12, ("ipmb", "system", "system")),
                            (0x82, ("door_lock", "fan_speed", "fan_speed")),
                            (0x48, ("none", "none", "vapor_rectifier"))):
            found = [codec.kind_name(code, each) for each in codec.PROTOCOLS]
            self.assertEqual(tuple(found), names)

    def test_thermistor(self):
        for raw, celsius in (
                (0, 131.29), (100, 107.79), (218, 80.06), (219, 79.85),
                (300, 67.95), (354, 60.01), (355, 60.03), (452, 49.75),
                (500, 44.66), (542, 40.21), (543, 39.91), (656, 28.78),
                (745, 20.02), (746, 20.91), (755, 19.73), (900, 0.74),
                (1023, -15.38), (32768, -4173.97), (65534, -8466.32),
                (-5, 132.47)):
            with self.subTest(raw=raw):
                self.assertEqual(codec.thermistor_celsius(raw), celsius)
        with self.assertRaises(codec.PayloadError):
            codec.thermistor_celsius(65535)

    def test_direct_format(self):
        for raw, power, voltage, current in (
                (0, 0.0, 0.0, -25.70631970260223),
                (1, 0.016548072149594573, 0.005208604614823689,
                 -25.69392812887237),
                (4095, 67.76435545258977, 21.329235897703004,
                 25.03717472118959)):
            self.assertEqual(codec.watts(raw), power)
            self.assertEqual(codec.volts(raw), voltage)
            self.assertEqual(codec.amperes(raw), current)
        self.assertEqual(codec.watts(12000), 198.57686579513486)
        self.assertEqual(codec.volts(2400), 12.500651075576853)
        self.assertEqual(codec.amperes(3356), 15.879801734820322)

    def test_humidity(self):
        for raw, values in ((0, (0.0, -40.0)), (1486313281, (38.43, 16.24)),
                            (0x20008000, (50.01, 42.51)),
                            (0x0000FFFF, (0.0, 125.01)),
                            (0xFFFF0000, (100.01, -40.0))):
            self.assertEqual(codec.humidity_values(raw), values)
        with self.assertRaises(codec.PayloadError):
            codec.humidity_values(1 << 32)

    def test_power_status_bits(self):
        for status, on, good, current, voltage in (
                (0, "on", True, False, False), (8, "on", True, False, True),
                (16, "on", True, True, False), (64, "off", True, False, False),
                (2048, "on", False, False, False),
                (2056, "on", False, False, True),
                (2064, "on", False, True, False),
                (2072, "on", False, True, True),
                (2136, "off", False, True, True)):
            found = codec.power_of(b"%d,0,0,0" % status, "1.1")
            self.assertEqual(
                (found["power_status"], found["power_ok"],
                 found["over_current"], found["under_voltage"]),
                (on, good, current, voltage))

    def test_power_field_count(self):
        self.assertEqual(codec.power_of(b"1,2,3,4,x", "1.1")["raw"],
                         [1, 2, 3, 4])
        self.assertEqual(codec.power_of(b"charging,88", "1.3"),
                         {"battery_status": "charging", "charge": 88})
        for data, protocol in ((b"1,2,3,4,x", "1.3"), (b"1,2,3", "1.1"),
                               (b"charging,88", "1.2"), (b"a,b,c,d", "1.1")):
            with self.assertRaises(codec.PayloadError):
                codec.power_of(data, protocol)

    def test_readings(self):
        self.assertEqual(codec.reading_of(b" -7 ", "temperature", "1.1"), -7)
        self.assertEqual(codec.reading_of(b"21.5", "temperature", "1.2"), 21.5)
        self.assertEqual(codec.reading_of(b"-0.5", "pressure", "1.3"), -0.5)
        for data, kind, protocol in ((b"21.5", "temperature", "1.1"),
                                     (b"1.5", "pressure", "1.2"),
                                     (b"1.5", "fan_speed", "1.3"),
                                     (b"", "led", "1.1"),
                                     (b"1_0", "led", "1.1")):
            with self.assertRaises(codec.PayloadError):
                codec.reading_of(data, kind, protocol)


class Bus:
    """A pty pair with the emulator serving one end."""

    def __init__(self, config, *options):
        self.folder = tempfile.mkdtemp()
        self.ends = [os.path.join(self.folder, name) for name in "ab"]
        self.socat = subprocess.Popen(
            ["socat"] + ["pty,raw,echo=0,link=" + end for end in self.ends])
        self.emulator = None
        try:
            self.wait_for_ends()
            self.start_emulator(config, options)
        except BaseException:
            self.close()
            raise

    def wait_for_ends(self):
        end = time.monotonic() + 10
        while not all(os.path.exists(path) for path in self.ends):
            if time.monotonic() > end:
                raise RuntimeError("socat made no pseudo terminals")
            time.sleep(0.02)

    def start_emulator(self, config, options):
        path = os.path.join(self.folder, "config.json")
        with open(path, "w", encoding="utf-8") as target:
            json.dump(config, target)
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.emulator = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "bus_emulator.py"),
             self.ends[0], path] + list(options),
            stdout=subprocess.PIPE, stderr=self.log)
        if self.emulator.stdout.readline() != b"ready\n":
            raise RuntimeError("emulator did not start")

    def master(self, *words):
        """Reports of one run; commands are given as in the shell."""
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "bus_master.py"),
             self.ends[1], "--timeout", "0.5"] + list(words),
            stdout=subprocess.PIPE, timeout=60)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def requests(self):
        self.log.seek(0)
        prefix = b"request "
        return [bytes.fromhex(line[len(prefix):].decode())
                for line in self.log if line.startswith(prefix)]

    def close(self):
        """End both processes; returns the exit status of the emulator."""
        status = None
        if self.emulator:
            self.emulator.send_signal(signal.SIGTERM)
            status = self.emulator.wait(10)
            self.emulator.stdout.close()
            self.log.close()
        self.socat.terminate()
        self.socat.wait(10)
        shutil.rmtree(self.folder)
        return status


def payload(report):
    if not report["ok"]:
        return report["error"]
    return report["result"]["payload"]


class BusCase(unittest.TestCase):
    def start(self, config, *options):
        bus = Bus(config, *options)
        self.addCleanup(lambda: self.assertEqual(bus.close(), 0))
        return bus

    def start_room(self, *options):
        with open(os.path.join(HERE, "room-1.1.json"),
                  encoding="utf-8") as source:
            return self.start(json.load(source), *options)


class RoomTest(BusCase):
    """The example room, with the answers its values call for."""

    def setUp(self):
        self.bus = self.start_room()

    def test_thermistor(self):
        again = "-- read thermistor 1 01ff".split()
        reports = self.bus.master(*again[1:], *(again * 3))
        self.assertEqual([payload(each)["temperature_c"] for each in reports],
                         [24.45, 28.88, 34.3, 24.45])
        self.assertEqual(reports[2]["result"], {
            "seq": 1, "type": "ff", "board": "00000000", "device": "ffff",
            "payload": {"text": "600", "value": 600, "temperature_c": 34.3}})
        self.assertEqual([each[2] for each in self.bus.requests()],
                         [1, 2, 3, 4])

    def test_humidity(self):
        again = "-- read humidity 1 03ff".split()
        first, silent, wrong, used_up = self.bus.master(
            *again[1:], *(again * 3))
        self.assertEqual(payload(first)["value"], 536903680)
        self.assertEqual([payload(each) for each in (silent, wrong, used_up)],
                         ["timeout", "payload", "timeout"])

    def test_power(self):
        reports = self.bus.master(*(
            "power status 1 0dff -- power off 1 0dff -- power cycle 1 0dff "
            "-- power on 1 0dff").split())
        found = [payload(each) for each in reports]
        self.assertEqual([each["power_status"] for each in found],
                         ["on", "off", "on", "on"])
        self.assertEqual(found[0]["raw"], [0, 12000, 2400, 3356])
        self.assertEqual(found[0]["watts"], 198.57686579513486)
        self.assertEqual(
            (found[2]["power_ok"], found[2]["over_current"],
             found[2]["under_voltage"]), (False, True, True))
        self.assertEqual(found[3], found[0])

    def test_versions(self):
        reports = self.bus.master(
            *"version 1 -- version 2 -- version a -- version 3".split())
        self.assertEqual([payload(each) for each in reports],
                         ["PLC fw 3.2", "", "checksum", "timeout"])

    def test_scans(self):
        board_1 = [["00000001", "01ff", "thermistor"],
                   ["00000001", "02ff", "none"],
                   ["00000001", "03ff", "humidity"],
                   ["00000001", "0dff", "power"]]
        board_a = [["0000000a", "01ff", "thermistor"]]
        reports = self.bus.master(
            *"scan 1 -- scan 2 -- scan a -- scan".split())
        self.assertEqual([payload(each) for each in reports],
                         [board_1, "timeout", board_a, board_1 + board_a])
        self.assertEqual(reports[0]["result"]["headers"][3], {
            "seq": 1, "type": "40", "board": "00000001", "device": "0dff"})

    def test_asset_text(self):
        reports = self.bus.master(
            *("asset-get 1 0dff -- asset-set 1 0dff 10.0.0.9 "
              "-- asset-get 1 0dff -- asset-get 1 01ff").split())
        self.assertEqual([payload(each) for each in reports],
                         ["rack7-u12", "10.0.0.9", "10.0.0.9", "timeout"])
        self.assertEqual(reports[2]["result"]["board"], "00000001")
        self.assertEqual(reports[2]["result"]["seq"], 1)

    def test_wrong_address_or_kind_is_silent(self):
        reports = self.bus.master(
            *("read humidity 1 01ff -- read thermistor 1 01fe "
              "-- read thermistor 9 01ff -- read none 1 02ff").split())
        self.assertEqual([payload(each) for each in reports], ["timeout"] * 4)

    def test_strict_refuses_default_headers(self):
        (report,) = self.bus.master("--strict", "version", "1")
        self.assertEqual(payload(report), "mismatch")

    def test_malformed_input_is_survived(self):
        good = "010A02FF00000001FFFF56AA04"
        noise = (BAD_CHECKSUM + BAD_TRAILER).hex() + "00010104FF"
        reports = self.bus.master("raw", noise + good, "--", "raw", "01FF00",
                                  "--", "raw", "3F", "--", "version", "1")
        answer = reply(1, 0xFF, 0, 0xFFFF, "PLC fw 3.2").encode()
        self.assertEqual([payload(each) for each in reports],
                         [codec.hex_text(answer), "", "", "PLC fw 3.2"])


LATE_ROOM = {
    "boards": [
        {
            "board_id": "11",
            "firmware_version": [1, 9, 999, 255, 0, 0, 0, 0, 255, 255, 0, 4],
            "retry_firmware_version": [
                [0, 0, 1, 10, 999, 255, 0, 0, 0, 0, 255, 255, 86, 1004, 4]],
            "devices": [
                {"device_id": "1", "device_type": "temperature",
                 "read": {"repeatable": True, "responses": [
                     21.5,
                     [1, 12, 999, 154, 0, 0, 0, 17, 0, 1, 57, 57, 57, 0, 4],
                     [1, 2, 3]],
                          "retry_responses": [
                     [1, 12, 999, 154, 0, 0, 0, 17, 0, 1, 50, 46, 53, 1002,
                      4]]}},
                {"device_id": "2", "device_type": "fan_speed",
                 "read": {"repeatable": True, "responses": [4100]},
                 "write": {"repeatable": True, "responses": ["W1", "W0"]}},
                {"device_id": "3", "device_type": "humidity",
                 "read": {"repeatable": True, "responses": [1486313281]}},
                {"device_id": "4", "device_type": "current",
                 "read": {"repeatable": True, "responses": [
                     [1, 9, 999, 144, 0, 0, 0, 17, 0, 4, 0, 4], 77]}},
                {"device_id": "5", "device_type": "pressure",
                 "read": {"repeatable": True, "responses": [
                     [1, 9, 999, 238, 0, 0, 0, 17, 0, 5, 0, 4]]}},
            ],
        },
        {
            "board_id": "12", "devices": [],
            "raw_data": [
                [[1, 10, 999, 156, 0, 0, 0, 18, 0, 1, 156, 1002, 4],
                 [1, 10, 999, 64, 0, 0, 0, 18, 0, 2, 64, 1002, 4]],
                [[1, 10, 999, 16, 0, 0, 0, 18, 0, 3, 16, 1002, 4]]],
        },
    ],
    "scanall": [
        {"initial": {"result": "ok"}},
        {"initial": {"result": "error", "failed_board": "11"},
         "retry": [{"result": "ok"}]},
    ],
}


class LateRoomTest(BusCase):
    """Retries, raw answers and fault injection of 1.2."""

    def setUp(self):
        self.bus = self.start(LATE_ROOM, "--protocol", "1.2")

    def master(self, text):
        return self.bus.master("--protocol", "1.2", *text.split())

    def test_retry_uses_its_own_answers(self):
        plain, retried, short = self.master(
            "read temperature 11 1 -- read temperature 11 1 "
            "-- read temperature 11 1")
        self.assertEqual(payload(plain)["value"], 21.5)
        self.assertEqual(plain["result"]["seq"], 1)
        self.assertEqual(payload(retried)["value"], 2.5)
        self.assertEqual(retried["result"]["seq"], 3)
        # An answer that stops short is a timeout, which is not retried.
        self.assertEqual(payload(short), "timeout")
        self.assertEqual([each[10:11] for each in self.bus.requests()],
                         [b"R", b"R", b"?", b"R"])

    def test_retry_falls_back_to_the_next_answer(self):
        (report,) = self.master("read current 11 4")
        self.assertEqual(payload(report)["value"], 77)

    def test_retries_are_limited(self):
        (report,) = self.master("read pressure 11 5")
        self.assertEqual(payload(report), "checksum")
        self.assertEqual([(each[2], each[10:11])
                          for each in self.bus.requests()],
                         [(1, b"R"), (2, b"?"), (3, b"?"), (4, b"?")])

    def test_version_retry_with_noise(self):
        (report,) = self.master("version 11")
        self.assertEqual(payload(report), "V")
        self.assertEqual([(each[2], each[10:11])
                          for each in self.bus.requests()],
                         [(1, b"V"), (2, b"?")])

    def test_writes(self):
        reports = self.master(
            "write-fan 0500 11 2 -- write-fan 500 11 2 -- read fan_speed 11 2 "
            "-- write-led on 11 2 -- read humidity 11 3")
        self.assertEqual([payload(each) for each in reports[:2]],
                         ["W1", "refused"])
        self.assertEqual(payload(reports[2])["value"], 4100)
        self.assertEqual(payload(reports[3]), "timeout")
        self.assertEqual(payload(reports[4])["humidity"], 38.43)

    def test_raw_scans_cycle(self):
        first = [["00000012", "0001", "thermistor"],
                 ["00000012", "0002", "power"]]
        second = [["00000012", "0003", "led"]]
        reports = self.master("scan 12 -- scan 12 -- scan 12")
        self.assertEqual([payload(each) for each in reports],
                         [first, second, first])

    def test_scan_all_collision(self):
        good, collided = self.master("scan -- scan")
        self.assertEqual(len(payload(good)), 7)
        # Board 12 cycles on with every scan: third answer, two packets again.
        self.assertEqual(len(payload(collided)), 7)
        # The save after each scan-all takes a number, a repetition does not.
        self.assertEqual([(each[2], each[4] & 0xB0)
                          for each in self.bus.requests()],
                         [(1, 0x80), (2, 0x90), (3, 0x80), (3, 0xA0),
                          (4, 0x90)])


SYSTEM_TEXT = "vapor,1,box,2,rack,3,4,tag,maker,5,name,6,v7"
STATE_ROOM = {
    "boards": [{
        "board_id": "00000040", "firmware_version": "three",
        "devices": [
            {"device_id": "0001", "device_type": "system", "has_state": True,
             "boot_target": "B0", "hdd": "B0", "pxe": "B1",
             "no_override": "B2",
             "asset_info": {"repeatable": True, "responses": [SYSTEM_TEXT]},
             "host_info": {"repeatable": False,
                           "responses": ["hnode4,i10.2.0.4", "x"]}},
            {"device_id": "0002", "device_type": "vapor_fan",
             "has_state": True, "read": 3000, "write": ""},
            {"device_id": "0003", "device_type": "led",
             "has_state": True, "read": "0", "write": ""},
            {"device_id": "0004", "device_type": "vapor_rectifier",
             "has_state": True, "power": "0,1,1,1", "off": "64,0,0,0",
             "on": ["0,2,2,2", "0,3,3,3"]},
            {"device_id": "0005", "device_type": "vapor_led",
             "has_state": True, "write": "0,000000,0"},
            {"device_id": "0006", "device_type": "vapor_battery",
             "power": {"repeatable": True, "responses": ["charging,88"]}},
        ],
    }],
}


class StateRoomTest(BusCase):
    """Stateful devices and the commands of 1.3."""

    def setUp(self):
        self.bus = self.start(STATE_ROOM, "--protocol", "1.3", "--echo")

    def master(self, text):
        # --echo makes every answer pass the strict checks.
        return self.bus.master("--protocol", "1.3", "--strict", *text.split())

    def test_scan_and_version(self):
        scan, version = self.master("scan 40 -- version 40")
        self.assertEqual([row[2] for row in payload(scan)],
                         ["system", "vapor_fan", "led", "vapor_rectifier",
                          "vapor_led", "vapor_battery"])
        self.assertEqual(version["result"], {
            "seq": 2, "type": "ff", "board": "00000040", "device": "ffff",
            "payload": "three"})

    def test_fan_and_led_keep_what_is_written(self):
        reports = self.master(
            "read vapor_fan 40 2 -- write-fan 0900 40 2 "
            "-- read fan_speed 40 2 -- read led 40 3 -- write-led on 40 3 "
            "-- read led 40 3")
        found = [payload(each) for each in reports]
        self.assertEqual(found[0]["value"], 3000)
        self.assertEqual(found[2], {"text": "0900", "value": 900})
        self.assertEqual((found[1], found[4]), ("W1", "W1"))
        self.assertEqual((found[3]["led_state"], found[5]["led_state"]),
                         ("off", "on"))

    def test_power(self):
        reports = self.master(
            "power status 40 4 -- power off 40 4 -- power status 40 4 "
            "-- power on 40 4 vapor_rectifier -- power status 40 4 "
            "-- power cycle 40 4 -- power status 40 6 vapor_battery")
        found = [payload(each) for each in reports]
        self.assertEqual([each["raw"][1] for each in found[:6]],
                         [1, 0, 0, 2, 3, 2])
        self.assertEqual(found[6],
                         {"battery_status": "charging", "charge": 88})

    def test_boot_target(self):
        reports = self.master(
            "boot status 40 1 -- boot pxe 40 1 -- boot status 40 1 "
            "-- boot hdd 40 1 -- boot no_override 40 1")
        self.assertEqual([payload(each) for each in reports],
                         ["no_override", "pxe", "pxe", "hdd", "no_override"])

    def test_asset_and_host_info(self):
        asset, host, wrong, silent = self.master(
            "asset-info 40 1 -- host-info 40 1 -- host-info 40 1 "
            "-- host-info 40 1")
        self.assertEqual(list(payload(asset).values()),
                         SYSTEM_TEXT.split(","))
        self.assertEqual(payload(host), {"hostnames": ["node4"],
                                         "ip_addresses": ["10.2.0.4"]})
        self.assertEqual((payload(wrong), payload(silent)),
                         ("payload", "timeout"))

    def test_chamber_led(self):
        keep = "no_override no_override"
        reports = self.master(
            "chamber-led on r1 ff8800 blink 40 5 "
            "-- chamber-led off r2 000001 steady 40 5 "
            "-- chamber-led no_override r1 " + keep + " 40 5 "
            "-- chamber-led no_override r3 " + keep + " 40 5")
        rack_1 = {"state": "on", "color": "ff8800", "blink": "blink"}
        rack_2 = {"state": "off", "color": "000001", "blink": "steady"}
        initial = {"state": "off", "color": "000000", "blink": "steady"}
        self.assertEqual([payload(each) for each in reports],
                         [rack_1, rack_2, rack_1, initial])


if __name__ == "__main__":
    unittest.main()
