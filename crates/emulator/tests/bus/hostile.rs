//! Whatever comes, the emulator goes on.

use opendcre_emulator::bus::{FaultPlan, Faults, Requests};
use proptest::prelude::*;

use super::*;

/// A room with something behind every command.
const RICH: &str = r#"{"boards": [{"board_id": "1", "firmware_version": [1, 999, 1000], "retry_firmware_version": [[1], 2],
    "devices": [
        {"device_id": "1", "device_type": "vapor_led", "has_state": true, "write": "0,000000,0"},
        {"device_id": "1", "device_type": "power", "has_state": true, "power": ["64,0,0,0", null], "on": "0,0,0,0"},
        {"device_id": "1", "device_type": "system", "has_state": true, "boot_target": "B0", "asset_info": "text"},
        {"device_id": "1", "device_type": "led", "has_state": true, "read": 1, "write": 1},
        {"device_id": "1", "device_type": "thermistor", "read": {"repeatable": true, "responses": [1, null, [1, 1255]]}}
    ]}], "scanall": [{"initial": {"result": "error", "failed_board": "1"}, "retry": [{"result": "ok"}]}]}"#;

fn all_protocols() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::V1_1), Just(Protocol::V1_2), Just(Protocol::V1_3)]
}

/// Requests that reach something more often than not.
fn likely_request() -> impl Strategy<Value = Packet> {
    let kind_code = prop_oneof![Just(0x08), Just(0x10), Just(0x12), Just(0x40), Just(0x9c), any::<u8>()];
    let board = prop_oneof![Just(1), Just(0x8023_544b), Just(0xa023_544b), any::<u32>()];
    let device = prop_oneof![Just(1), any::<u16>()];
    let data = prop_oneof![
        "[DVRAH?]|RI|WI.{0,9}|P[01C?]|W[01]|B[012?]|L(-1|0|1),[a-z,]{0,3},(-1|00ff00),(-1|0|1)"
            .prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..=246),
    ];
    (any::<u8>(), kind_code, board, device, data).prop_map(|(sequence, kind_code, board, device, data)| {
        let data = data.into_iter().take(246).collect();
        Packet { sequence, kind_code, board, device, data }
    })
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_the_next_request_is_answered(
        protocol in all_protocols(),
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 0..8),
    ) {
        let mut room = responder(RICH, protocol);
        let mut requests = Requests::default();
        let scan = packet(1, 0xff, 1, 0xffff, b"D").encode().unwrap();
        let mut last_answers = Vec::new();
        for chunk in chunks.into_iter().chain([scan]) {
            requests.push(&chunk);
            for request in requests.by_ref().flatten() {
                last_answers = room.respond(&request);
            }
        }
        prop_assert_eq!(last_answers.len(), 5);
    }

    #[test]
    fn any_request_is_survived(
        protocol in all_protocols(),
        headers in prop_oneof![Just(Headers::Legacy), Just(Headers::Full)],
        requests in proptest::collection::vec(likely_request(), 1..60),
        seed in any::<u64>(),
    ) {
        let mut room = responder_with(RICH, protocol, headers);
        let plan = FaultPlan { seed, drop: 0.1, corrupt: 0.2, noise: 0.2, truncate: 0.2, silence: 0.1, ..FaultPlan::default() };
        let mut faults = Faults::new(plan);
        for request in requests {
            let answers = room.respond(&request);
            prop_assert!(answers.len() <= 5);
            prop_assert!(faults.apply(answers).len() <= 5);
        }
    }

    #[test]
    fn any_text_is_a_room_or_an_error(text in ".{0,200}") {
        prop_assert!(Room::from_json(&text).is_err());
    }

    #[test]
    fn any_damage_to_a_configuration_is_survived(
        position in 0..RICH.len(),
        length in 0_usize..40,
        insert in "[\\[\\]{}\",:0-9a-z]{0,6}",
    ) {
        let mut json = RICH.to_owned();
        let end = (position + length).min(json.len());
        json.replace_range(position..end, &insert);
        match Room::from_json(&json) {
            Ok(room) => {
                let options = ResponderOptions { protocol: Protocol::V1_3, headers: Headers::Full };
                Responder::new(room, options).respond(&packet(1, 0xff, 0x8000_0000, 0xffff, b"D"));
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }
}
