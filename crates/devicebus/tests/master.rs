//! The bus master in virtual time: what it sends, when, and what it makes of the answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::time::{Duration, Instant};

use opendcre_devicebus::{
    Command, Completion, Master, MasterConfig, Packet, PacketError, PowerSwitch, Protocol, Reply,
    ReplyMatching, Request, TransactionError, address, kind,
};

const TIMEOUT: Duration = Duration::from_millis(250);
const QUIET: Duration = Duration::from_millis(20);
const THERMISTOR: u8 = 0x9c;

/// A master and the time that only the test moves.
struct Bus {
    master: Master,
    now: Instant,
}

impl Bus {
    fn new(config: MasterConfig) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin; only differences matter")]
        let now = Instant::now();
        Self { master: Master::new(config), now }
    }

    fn strict() -> Self {
        Self::new(MasterConfig::default())
    }

    fn compatible() -> Self {
        let config = MasterConfig {
            matching: ReplyMatching::Compatible,
            protocol: Protocol::V1_1,
            ..MasterConfig::default()
        };
        Self::new(config)
    }

    /// Starts a request and returns the packet that goes out.
    fn start(&mut self, request: Request) -> Packet {
        self.master.start(request, self.now).unwrap();
        self.sent().expect("the request goes out at once")
    }

    /// The next packet that goes out, if any.
    fn sent(&mut self) -> Option<Packet> {
        let transmit = self.master.poll_transmit()?;
        assert!(transmit.discard_input, "old bytes must not answer a new request");
        Some(Packet::decode(&transmit.bytes).unwrap())
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.master.on_bytes(bytes, self.now);
    }

    fn answer(&mut self, packet: &Packet) {
        self.receive(&packet.encode().unwrap());
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.master.on_timer(self.now);
    }

    /// Lets time run to the next deadline and says how long that took.
    fn wait(&mut self) -> Duration {
        let deadline = self.master.next_deadline().expect("something to wait for");
        let waited = deadline - self.now;
        self.pass(waited);
        waited
    }

    /// Lets time run until the transaction is over.
    fn run_out(&mut self) -> Completion {
        loop {
            if let Some(completion) = self.master.poll_completion() {
                return completion;
            }
            self.wait();
        }
    }

    fn finish(&mut self) -> Completion {
        self.master.poll_completion().expect("the transaction is over")
    }
}

fn read(board: u32, device: u16) -> Request {
    Request::to_device(THERMISTOR, board, device, Command::Read)
}

/// The answer that echoes the request.
fn echo(request: &Packet, data: &[u8]) -> Packet {
    Packet { data: data.to_vec(), ..request.clone() }
}

/// The end of a transaction that brought this answer at the first attempt.
fn answered(packet: Packet) -> Completion {
    Ok(Reply::Packet { packet, repeated: false })
}

/// The answer of a 1.1 responder.
fn plain(data: &[u8]) -> Packet {
    Packet { sequence: 1, kind_code: kind::NONE, board: 0, device: 0xffff, data: data.to_vec() }
}

fn damaged(packet: &Packet) -> Vec<u8> {
    let mut bytes = packet.encode().unwrap();
    let checksum = bytes.len() - 2;
    bytes[checksum] ^= 0x55;
    bytes
}

fn scanned(request: &Packet, board: u32, device: u16, code: u8) -> Packet {
    Packet { sequence: request.sequence, kind_code: code, board, device, data: vec![code] }
}

#[test]
fn a_reply_byte_by_byte_completes_the_transaction() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(1, 0x01ff));
    let reply = echo(&sent, b"656");
    for byte in reply.encode().unwrap() {
        assert_eq!(bus.master.poll_completion(), None);
        bus.pass(Duration::from_millis(10));
        bus.receive(&[byte]);
    }
    assert_eq!(bus.finish(), answered(reply));
    assert!(bus.master.is_idle());
    assert_eq!(bus.master.next_deadline(), None);
}

#[test]
fn the_deadline_is_for_the_whole_reply() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(1, 0x01ff));
    let bytes = echo(&sent, b"656").encode().unwrap();
    // A byte every 20 ms would satisfy any per-byte limit, but not the limit of the reply.
    for byte in &bytes[..12] {
        bus.pass(Duration::from_millis(20));
        bus.receive(&[*byte]);
    }
    bus.pass(Duration::from_millis(20));
    assert_eq!(bus.finish(), Err(TransactionError::Timeout));
}

#[test]
fn silence_is_a_timeout_after_the_request_has_left_the_line() {
    let mut bus = Bus::strict();
    bus.start(read(1, 0x01ff));
    let waited = bus.wait();
    // 13 bytes of ten bits at 115200 baud.
    assert_eq!(waited, TIMEOUT + Duration::from_nanos(13 * 10 * 1_000_000_000 / 115_200));
    assert_eq!(bus.finish(), Err(TransactionError::Timeout));
    assert_eq!(bus.sent(), None, "a timeout is not asked for again");
    assert_eq!(bus.master.statistics().timeouts, 1);
}

#[test]
fn a_packet_cut_off_is_a_timeout() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(0x7f00_0000, 0x0203));
    let mut bytes = echo(&sent, b"656").encode().unwrap();
    bytes.pop();
    bus.receive(&bytes);
    assert_eq!(bus.run_out(), Err(TransactionError::Timeout));
}

#[test]
fn sequence_numbers_run_from_1_to_254_and_over_0() {
    let mut bus = Bus::strict();
    let mut seen = Vec::new();
    for _ in 0..256 {
        let sent = bus.start(read(1, 0x01ff));
        seen.push(sent.sequence);
        bus.answer(&echo(&sent, b"1"));
        bus.finish().unwrap();
    }
    let expected: Vec<u8> = (1..=254).chain([0, 1]).collect();
    assert_eq!(seen, expected);
}

#[test]
fn strict_matching_drops_everything_that_answers_something_else() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(1, 0x01ff));
    let right = echo(&sent, b"656");
    for wrong in [
        Packet { sequence: 9, ..right.clone() },
        Packet { board: 2, ..right.clone() },
        Packet { device: 0x02ff, ..right.clone() },
        Packet { kind_code: 0x9a, ..right.clone() },
        Packet { board: 0, device: 0xffff, kind_code: 0xff, ..right.clone() },
    ] {
        bus.answer(&wrong);
        assert_eq!(bus.master.poll_completion(), None, "{wrong:?}");
    }
    bus.answer(&right);
    assert_eq!(bus.finish(), answered(right));
    assert_eq!(bus.master.statistics().unmatched, 5);
}

#[test]
fn compatible_matching_takes_the_fixed_header_of_1_1_but_no_foreign_one() {
    let mut bus = Bus::compatible();
    bus.start(read(1, 0x01ff));
    bus.answer(&plain(b"656"));
    bus.finish().unwrap();

    bus.pass(QUIET);
    let sent = bus.start(read(1, 0x01ff));
    assert_eq!(sent.sequence, 2);
    for wrong in [
        Packet { board: 2, ..plain(b"1") },
        Packet { device: 3, ..plain(b"1") },
        Packet { kind_code: 0x9a, ..plain(b"1") },
        Packet { sequence: 7, ..plain(b"1") },
    ] {
        bus.answer(&wrong);
        assert_eq!(bus.master.poll_completion(), None, "{wrong:?}");
    }
    bus.answer(&echo(&sent, b"2"));
    bus.finish().unwrap();
}

#[test]
fn compatible_mode_lets_a_late_answer_pass_before_it_asks_again() {
    let mut bus = Bus::compatible();
    bus.start(read(1, 0x01ff));
    assert_eq!(bus.run_out(), Err(TransactionError::Timeout));

    bus.master.start(read(2, 0x01ff), bus.now).unwrap();
    assert_eq!(bus.sent(), None, "the line is not settled");
    bus.receive(&plain(b"late").encode().unwrap());
    assert_eq!(bus.wait(), TIMEOUT);
    assert!(bus.sent().is_some());
    bus.answer(&plain(b"656"));
    assert_eq!(bus.finish(), answered(plain(b"656")));
}

#[test]
fn noise_in_front_of_a_reply_costs_nothing() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(1, 0x01ff));
    let reply = echo(&sent, b"656");
    // The first noise feigns a long packet, the second a short one that swallows the beginning of the real one.
    bus.receive(&[0x00, 0x02, 0x01, 0xf0, 0x01, 0x0a]);
    bus.answer(&reply);
    assert_eq!(bus.wait(), QUIET, "a long packet may still be coming");
    assert_eq!(bus.finish(), answered(reply));
}

#[test]
fn a_damaged_reply_is_asked_for_again() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(1, 0x01ff));
    bus.receive(&damaged(&echo(&sent, b"656")));
    bus.wait();
    let again = bus.sent().expect("the repeat request");
    assert_eq!((again.sequence, again.data.as_slice()), (2, b"?".as_slice()));
    assert_eq!((again.board, again.device, again.kind_code), (sent.board, sent.device, sent.kind_code));
    bus.answer(&echo(&again, b"656"));
    assert!(matches!(bus.finish(), Ok(Reply::Packet { packet, repeated: true }) if packet.data == b"656"));
}

#[test]
fn a_board_that_repeats_its_old_packet_to_the_letter_is_understood() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(1, 0x01ff));
    let reply = echo(&sent, b"656");
    bus.receive(&damaged(&reply));
    bus.wait();
    bus.sent().unwrap();
    bus.answer(&reply);
    assert_eq!(bus.finish(), Ok(Reply::Packet { packet: reply, repeated: true }));
}

#[test]
fn after_one_command_and_three_repeats_it_is_over() {
    let mut bus = Bus::strict();
    let mut sent = bus.start(read(1, 0x01ff));
    for _ in 0..3 {
        bus.receive(&damaged(&echo(&sent, b"656")));
        bus.wait();
        sent = bus.sent().expect("a repeat request");
    }
    bus.receive(&damaged(&echo(&sent, b"656")));
    assert!(matches!(
        bus.run_out(),
        Err(TransactionError::Corrupt {
            attempts: 4,
            last: PacketError::Checksum { .. } | PacketError::TooShort { .. }
        })
    ));
    assert_eq!(bus.sent(), None);
}

#[test]
fn a_repeat_without_an_answer_waits_its_full_time_and_ends_it() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(1, 0x01ff));
    bus.receive(&damaged(&echo(&sent, b"656")));
    bus.wait();
    bus.sent().unwrap();
    assert!(bus.wait() >= TIMEOUT);
    assert!(matches!(bus.finish(), Err(TransactionError::Timeout | TransactionError::Corrupt { .. })));
    assert_eq!(bus.sent(), None);
}

#[test]
fn without_repeats_a_damaged_reply_fails_at_the_deadline_and_nothing_is_sent_twice() {
    let mut bus = Bus::compatible();
    bus.start(Request::to_device(kind::POWER, 1, 0x0dff, Command::Power(PowerSwitch::Cycle)));
    bus.receive(&damaged(&plain(b"0,0,0,0")));
    assert_eq!(bus.wait(), QUIET);
    assert_eq!(bus.master.poll_completion(), None, "the answer may still follow");
    assert!(matches!(bus.run_out(), Err(TransactionError::Corrupt { attempts: 1, .. })));
    assert_eq!(bus.sent(), None);
}

#[test]
fn a_control_command_is_never_sent_again() {
    let mut bus = Bus::strict();
    let mut sent = bus.start(Request::to_device(kind::POWER, 1, 0x0dff, Command::Power(PowerSwitch::Off)));
    for _ in 0..3 {
        bus.receive(&damaged(&echo(&sent, b"64,0,0,0")));
        bus.wait();
        sent = bus.sent().unwrap();
        assert_eq!(sent.data, b"?", "only the answer is asked for, never the action");
    }
}

#[test]
fn a_scan_collects_devices_until_silence() {
    let mut bus = Bus::strict();
    let sent = bus.start(Request::to_board(1, Command::Scan));
    let devices = [scanned(&sent, 1, 0x01ff, THERMISTOR), scanned(&sent, 1, 0x0dff, kind::POWER)];
    for device in &devices {
        bus.pass(Duration::from_millis(200));
        bus.answer(device);
    }
    assert_eq!(bus.wait(), TIMEOUT);
    assert_eq!(bus.finish(), Ok(Reply::Scan(devices.to_vec())));
}

#[test]
fn a_scan_without_an_answer_is_a_timeout() {
    let mut bus = Bus::strict();
    bus.start(Request::to_board(1, Command::Scan));
    assert_eq!(bus.run_out(), Err(TransactionError::Timeout));
}

#[test]
fn a_scan_of_one_board_takes_no_other_board() {
    let mut bus = Bus::compatible();
    let sent = bus.start(Request::to_board(1, Command::Scan));
    bus.answer(&scanned(&sent, 2, 0x01ff, THERMISTOR));
    assert_eq!(bus.run_out(), Err(TransactionError::Unmatched { count: 1 }));
}

#[test]
fn a_damaged_scan_of_all_is_sent_again_with_shuffle_and_the_same_sequence() {
    let mut bus = Bus::strict();
    let all = address::scan_all([0x56, 0x78], 75);
    let sent = bus.start(Request::to_board(all, Command::Scan));
    bus.answer(&scanned(&sent, 1, 0x01ff, THERMISTOR));
    bus.receive(&damaged(&scanned(&sent, 2, 0x01ff, THERMISTOR)));
    bus.wait();
    assert_eq!(bus.sent(), None, "boards finish talking first");
    bus.pass(Duration::from_millis(100));
    bus.receive(b"the rest of their answers");
    assert_eq!(bus.wait(), Duration::from_millis(150), "counted from the last of them");
    let again = bus.sent().unwrap();
    assert_eq!((again.sequence, again.board), (sent.sequence, all | address::SHUFFLE));
    let found = [scanned(&again, 1, 0x01ff, THERMISTOR), scanned(&again, 2, 0x01ff, THERMISTOR)];
    for device in &found {
        bus.answer(device);
    }
    bus.wait();
    assert_eq!(bus.finish(), Ok(Reply::Scan(found.to_vec())), "the first attempt leaves nothing behind");
}

#[test]
fn a_damaged_scan_of_one_board_is_sent_again_as_it_was() {
    let mut bus = Bus::strict();
    let sent = bus.start(Request::to_board(1, Command::Scan));
    for _ in 0..2 {
        bus.receive(&damaged(&scanned(&sent, 1, 0x01ff, THERMISTOR)));
        bus.wait();
        bus.wait();
        assert_eq!(bus.sent().unwrap(), sent);
    }
    bus.receive(&damaged(&scanned(&sent, 1, 0x01ff, THERMISTOR)));
    assert!(matches!(bus.run_out(), Err(TransactionError::Corrupt { attempts: 3, .. })));
}

#[test]
fn endless_answers_to_a_scan_end() {
    let mut bus = Bus::strict();
    let sent = bus.start(Request::to_board(1, Command::Scan));
    let bytes = scanned(&sent, 1, 1, THERMISTOR).encode().unwrap().repeat(1000);
    for _ in 0..17 {
        bus.receive(&bytes);
    }
    assert_eq!(bus.finish(), Err(TransactionError::TooManyReplies));
}

#[test]
fn slots_are_saved_after_a_scan_of_all_if_wanted() {
    let mut bus = Bus::new(MasterConfig { save_after_scan: true, ..MasterConfig::default() });
    for (board, saved) in [(address::scan_all([0, 1], 75), true), (1, false)] {
        let sent = bus.start(Request::to_board(board, Command::Scan));
        bus.answer(&scanned(&sent, 1, 0x01ff, THERMISTOR));
        bus.wait();
        bus.finish().unwrap();
        let save = bus.sent();
        assert_eq!(save.as_ref().map(|packet| packet.board), saved.then_some(0x9000_0000));
        assert!(save.is_none_or(|packet| packet.data == b"D" && packet.sequence == sent.sequence + 1));
    }
}

#[test]
fn noise_without_end_does_not_move_the_deadline() {
    let mut bus = Bus::strict();
    bus.start(read(1, 0x01ff));
    let mut waited = Duration::ZERO;
    while bus.master.poll_completion().is_none() {
        bus.receive(&[0x01, 0x09, 0xff, 0x00, 0x01, 0xff, 0x04]);
        bus.pass(Duration::from_millis(5));
        waited += Duration::from_millis(5);
        // One command and three repeats, each with its own deadline.
        assert!(waited < 5 * TIMEOUT);
    }
}

#[test]
fn one_transaction_at_a_time() {
    let mut bus = Bus::strict();
    bus.start(read(1, 0x01ff));
    assert_eq!(bus.master.start(read(2, 0x01ff), bus.now), Err(TransactionError::NotIdle));
    bus.master.abort();
    assert!(bus.master.is_idle());
    bus.start(read(2, 0x01ff));
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let mut bus = Bus::strict();
    let text = Command::SetAssetText(vec![b'x'; 300]);
    let started = bus.master.start(Request::to_device(kind::POWER, 1, 1, text), bus.now);
    assert!(matches!(started, Err(TransactionError::Unsendable(_))));
    assert_eq!(bus.sent(), None);
    assert!(bus.master.is_idle());
}

#[test]
fn unsolicited_bytes_are_counted_and_forgotten() {
    let mut bus = Bus::strict();
    bus.receive(&[1, 2, 3]);
    assert_eq!(bus.master.statistics().unsolicited_bytes, 3);
    let sent = bus.start(read(1, 0x01ff));
    bus.answer(&echo(&sent, b"5"));
    bus.finish().unwrap();
}

#[test]
fn what_stands_inside_a_packet_is_its_data_however_slowly_it_comes() {
    let mut bus = Bus::strict();
    let sent = bus.start(read(1, 0x01ff));
    let planted = echo(&sent, b"666").encode().unwrap();
    let reply = echo(&sent, &[b"text ", planted.as_slice(), b" more text"].concat());
    for byte in reply.encode().unwrap() {
        bus.pass(Duration::from_millis(5));
        bus.receive(&[byte]);
    }
    assert_eq!(bus.finish(), answered(reply));
}

#[test]
fn in_compatible_mode_a_second_copy_does_not_answer_the_next_request() {
    let mut bus = Bus::compatible();
    bus.start(read(1, 0x01ff));
    bus.answer(&plain(b"1"));
    bus.finish().unwrap();
    bus.master.start(read(2, 0x01ff), bus.now).unwrap();
    assert_eq!(bus.sent(), None);
    bus.pass(Duration::from_millis(5));
    bus.answer(&plain(b"1"));
    assert_eq!(bus.wait(), QUIET, "counted from the copy");
    assert!(bus.sent().is_some());
    bus.answer(&plain(b"2"));
    assert_eq!(bus.finish(), answered(plain(b"2")));
}

#[test]
fn in_compatible_mode_a_damaged_answer_is_let_pass_too() {
    let mut bus = Bus::compatible();
    bus.start(read(1, 0x01ff));
    bus.receive(&[0x01, 0x02]);
    assert!(matches!(bus.run_out(), Err(TransactionError::Corrupt { .. })));
    bus.master.start(read(2, 0x01ff), bus.now).unwrap();
    assert_eq!(bus.sent(), None);
    bus.answer(&plain(b"of device 1"));
    bus.wait();
    assert!(bus.sent().is_some());
}

#[test]
fn a_line_that_is_never_silent_holds_up_nobody_for_ever() {
    let mut bus = Bus::compatible();
    bus.start(read(1, 0x01ff));
    bus.wait();
    bus.finish().unwrap_err();
    bus.master.start(read(2, 0x01ff), bus.now).unwrap();
    let mut waited = Duration::ZERO;
    while bus.sent().is_none() {
        bus.receive(&[0x55]);
        bus.pass(Duration::from_millis(5));
        waited += Duration::from_millis(5);
        assert!(waited <= 2 * TIMEOUT);
    }
}

#[test]
fn boards_of_1_2_echo_the_sequence_even_where_addresses_are_old() {
    let config = MasterConfig { matching: ReplyMatching::Compatible, ..MasterConfig::default() };
    let mut bus = Bus::new(config);
    bus.start(read(1, 0x01ff));
    bus.answer(&plain(b"1"));
    bus.finish().unwrap();
    bus.pass(QUIET);
    let sent = bus.start(read(1, 0x01ff));
    bus.answer(&plain(b"666"));
    assert_eq!(bus.master.poll_completion(), None, "sequence 01 is not that of this request");
    let right = Packet { sequence: sent.sequence, ..plain(b"7") };
    bus.answer(&right);
    assert_eq!(bus.finish(), answered(right));
}

#[test]
fn without_repeats_the_answer_after_noise_is_still_understood() {
    let mut bus = Bus::compatible();
    bus.start(read(1, 0x01ff));
    bus.receive(&[0x01, 0x02]);
    bus.pass(QUIET);
    bus.pass(Duration::from_millis(40));
    bus.answer(&plain(b"111"));
    assert_eq!(bus.finish(), answered(plain(b"111")));
}

#[test]
fn packets_that_fit_nothing_are_told_from_silence() {
    let mut bus = Bus::strict();
    bus.start(read(1, 0x01ff));
    bus.answer(&plain(b"656"));
    assert_eq!(bus.run_out(), Err(TransactionError::Unmatched { count: 1 }));
}

#[test]
fn noise_before_the_answers_to_a_scan_is_no_damage() {
    let mut bus = Bus::strict();
    let sent = bus.start(Request::to_board(1, Command::Scan));
    let device = scanned(&sent, 1, 0x01ff, THERMISTOR);
    for noise in [&[0x01][..], &[0x01, 0x0a], &[0x55, 0x01, 0x02]] {
        bus.receive(&[noise, &device.encode().unwrap()].concat());
    }
    assert_eq!(bus.run_out(), Ok(Reply::Scan(vec![device; 3])));
    assert_eq!(bus.master.statistics().retries, 0);
}
