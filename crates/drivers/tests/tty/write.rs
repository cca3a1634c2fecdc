//! Changes whose answers are refusals, lost, damaged or nonsense: nothing is sent twice, and what is claimed is known.

use opendcre_devicebus::Packet;
use opendcre_model::{
    Action, BootOverride, BootTarget, ChamberLedSetting, DeviceKind, Driver, DriverError, Fault, Observation,
    PowerAction, Priority, Query, Rgb,
};

use super::DEVICE;
use super::common::{Board, context, damaged, echo, open};

const LED_ON: Action = Action::SetLed { device: DEVICE, on: true };
const FAN: Action = Action::SetFanSpeed { device: DEVICE, rpm: 4100 };
const PXE: BootOverride = BootOverride { target: BootTarget::Pxe, persistent: false, efi: false };
const BOOT: Action = Action::SetBootTarget { device: DEVICE, boot: PXE };
const RECTIFIER_ON: Action =
    Action::Power { device: DEVICE, kind: DeviceKind::VaporRectifier, action: PowerAction::On };

fn chamber_led() -> Action {
    let (on, color, blink) = (Some(true), Some(Rgb([0xff, 0x88, 0])), None);
    let setting = ChamberLedSetting { rack: "rack_1".into(), on, color, blink };
    Action::SetChamberLed { device: DEVICE, setting }
}

/// Commands, and what is answered to each. To all others there is silence.
type Answers = Vec<(&'static [u8], &'static [u8])>;

/// Stands for an answer that arrives damaged.
const DAMAGED: &[u8] = b"\0";

fn script(answers: Answers) -> impl Fn(&Packet) -> Vec<Packet> {
    move |packet| match answers.iter().find(|(command, _)| packet.data == *command) {
        Some((_, data)) if *data == DAMAGED => vec![damaged(packet)],
        Some((_, data)) => echo(packet, data),
        None => Vec::new(),
    }
}

/// Performs the action on a board with these answers: the outcome, and what was sent.
async fn perform(action: &Action, answers: Answers) -> (Result<Observation, DriverError>, Vec<Vec<u8>>) {
    let board = Board::start(script(answers));
    let bus = open(board.config());
    let result = bus.perform(action.clone(), context(Priority::Control)).await;
    (result, board.requests().into_iter().map(|packet| packet.data).collect())
}

#[tokio::test]
async fn an_accepted_write_is_answered_with_what_is_read_then() {
    let (result, sent) = perform(&LED_ON, vec![(b"W1", b"W1"), (b"R", b"1")]).await;
    assert_eq!(result, Ok(Observation::Led { on: true }));
    assert_eq!(sent, [b"W1".as_slice(), b"R"]);

    // A fan that has not reached its speed yet.
    let (result, sent) = perform(&FAN, vec![(b"W\xff4100", b"W1"), (b"R", b"4080")]).await;
    let Ok(Observation::Sensor(reading)) = result else { panic!("{result:?}") };
    assert_eq!((reading.kind, reading.raw.to_i64()), (DeviceKind::FanSpeed, Some(4080)));
    assert_eq!(sent, [b"W\xff4100".as_slice(), b"R"]);
}

#[tokio::test]
async fn a_lamp_that_accepts_and_shows_something_else_leaves_doubt() {
    let (result, sent) = perform(&LED_ON, vec![(b"W1", b"W1"), (b"R", b"0")]).await;
    let error = result.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.starts_with("bus test: the device accepted the command"), "{error}");
    assert!(error.message.contains("the lamp is now off"), "{error}");
    assert_eq!(sent, [b"W1".as_slice(), b"R"]);
}

#[tokio::test]
async fn a_chamber_lamp_that_answers_something_else_refuses() {
    let set = b"L1,rack_1,ff8800,-1".as_slice();
    for other in [b"1,ffffff,0".as_slice(), b"0,ff8800,0", b"1,-1,0"] {
        let (result, sent) = perform(&chamber_led(), vec![(set, other)]).await;
        let error = result.unwrap_err();
        assert_eq!(error.fault, Fault::Refused, "{error}");
        assert!(error.message.contains("the lamp now reports"), "{error}");
        assert_eq!(sent, [set], "nothing is asked after a refusal");
    }
    let (result, _) = perform(&chamber_led(), vec![(set, b"1,FF8800,1")]).await;
    assert!(result.is_ok(), "blinking was left as it is: {result:?}");
}

#[tokio::test]
async fn a_repeated_answer_of_a_chamber_lamp_may_be_an_older_one() {
    let set = b"L1,rack_1,ff8800,-1".as_slice();
    let untouched = b"L-1,rack_1,-1,-1".as_slice();
    let answers =
        |state| vec![(set, DAMAGED), (b"?".as_slice(), b"1,ffffff,0".as_slice()), (untouched, state)];
    let (result, sent) = perform(&chamber_led(), answers(b"1,ff8800,0")).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(sent, [set, b"?", untouched]);
    let (result, _) = perform(&chamber_led(), answers(b"1,ffffff,0")).await;
    assert_eq!(result.unwrap_err().fault, Fault::Uncertain);
}

#[tokio::test]
async fn everything_but_w1_refuses() {
    for refusal in [b"W0".as_slice(), b"", b"w1", b"W1 ", b"OK", b"W\xff"] {
        let (result, sent) = perform(&LED_ON, vec![(b"W1", refusal)]).await;
        assert_eq!(result.unwrap_err().fault, Fault::Refused, "{refusal:?}");
        assert_eq!(sent, [b"W1"], "nothing is asked after a refusal");
    }
}

#[tokio::test]
async fn what_was_accepted_and_cannot_be_read_is_uncertain() {
    let (result, sent) = perform(&LED_ON, vec![(b"W1", b"W1")]).await;
    let error = result.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.contains("the device accepted the command"), "{error}");
    assert_eq!(sent, [b"W1".as_slice(), b"R"]);
}

#[tokio::test]
async fn after_a_lost_answer_the_state_is_asked_for() {
    let untouched = b"L-1,rack_1,-1,-1".as_slice();
    // What is asked, what proves the action, what does not, and what is told of that.
    let table: [(Action, [&'static [u8]; 3], &str); 5] = [
        (LED_ON, [b"R", b"1", b"0"], "the lamp is now off"),
        (FAN, [b"R", b"4100", b"4099"], "the device now reports 4099"),
        (BOOT, [b"B?", b"B2", b"B1"], "the server now reports the boot target disk"),
        (
            chamber_led(),
            [untouched, b"1,FF8800,1", b"1,-1,0"],
            "the lamp now reports on, colour \"-1\", steady",
        ),
        (RECTIFIER_ON, [b"P?", b"0,1,2,3", b"64,0,0,0"], "the device now reports power off"),
    ];
    for (action, [question, proof, other], told) in table {
        let (result, sent) = perform(&action, vec![(question, proof)]).await;
        assert!(result.is_ok(), "{action:?}: {result:?}");
        assert_eq!((sent.len(), sent[1].as_slice()), (2, question), "{action:?}");

        let (result, sent) = perform(&action, vec![(question, other)]).await;
        let error = result.unwrap_err();
        assert_eq!(error.fault, Fault::Uncertain, "{action:?}");
        assert!(error.message.contains(told), "{error}");
        assert_eq!(sent.len(), 2, "{action:?} was sent once");
    }
}

#[tokio::test]
async fn silence_after_a_lost_answer_leaves_doubt() {
    let (result, sent) = perform(&FAN, vec![]).await;
    let error = result.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.contains("its state cannot be read now (timeout)"), "{error}");
    assert_eq!(sent, [b"W\xff4100".as_slice(), b"R"]);
}

#[tokio::test]
async fn a_repeated_acceptance_or_refusal_may_be_an_older_one() {
    for repeated in [b"W1".as_slice(), b"W0"] {
        let (result, sent) = perform(&LED_ON, vec![(b"W1", DAMAGED), (b"?", repeated), (b"R", b"1")]).await;
        assert_eq!(result, Ok(Observation::Led { on: true }));
        assert_eq!(sent, [b"W1".as_slice(), b"?", b"R"]);

        let (result, sent) = perform(&LED_ON, vec![(b"W1", DAMAGED), (b"?", repeated), (b"R", b"0")]).await;
        assert_eq!(result.unwrap_err().fault, Fault::Uncertain);
        assert_eq!(sent, [b"W1".as_slice(), b"?", b"R"]);
    }
}

#[tokio::test]
async fn a_repeated_state_may_be_an_older_one() {
    let (result, sent) = perform(&BOOT, vec![(b"B2", DAMAGED), (b"?", b"B2"), (b"B?", b"B0")]).await;
    assert_eq!(result.unwrap_err().fault, Fault::Uncertain);
    assert_eq!(sent, [b"B2".as_slice(), b"?", b"B?"]);

    let (result, sent) = perform(&BOOT, vec![(b"B2", DAMAGED), (b"?", b"B1"), (b"B?", b"B2")]).await;
    assert_eq!(result, Ok(Observation::BootTarget(PXE)));
    assert_eq!(sent, [b"B2".as_slice(), b"?", b"B?"]);
}

#[tokio::test]
async fn a_state_that_had_to_be_repeated_proves_nothing() {
    let (result, sent) = perform(&BOOT, vec![(b"B?", DAMAGED), (b"?", b"B2")]).await;
    let error = result.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.contains("cannot be read reliably"), "{error}");
    assert_eq!(sent, [b"B2".as_slice(), b"B?", b"?"]);
}

#[tokio::test]
async fn nonsense_in_answer_to_a_state_change_is_no_proof_and_no_reason_to_ask() {
    for (action, command, nonsense) in [
        (BOOT, b"B2".as_slice(), b"B9".as_slice()),
        (chamber_led(), b"L1,rack_1,ff8800,-1", b"1,ff8800"),
        (RECTIFIER_ON, b"P1", b"0,0,0"),
    ] {
        let (result, sent) = perform(&action, vec![(command, nonsense)]).await;
        assert_eq!(result.unwrap_err().fault, Fault::Uncertain, "{action:?}");
        assert_eq!(sent, [command]);
    }
}

#[tokio::test]
async fn addresses_of_a_host_must_be_addresses() {
    let board = Board::start(|packet| echo(packet, b"hnode4,i10.2.0.400"));
    let bus = open(board.config());
    let error = bus.read(Query::HostInfo(DEVICE), context(Priority::Read)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Malformed);
    assert!(error.message.contains("hnode4,i10.2.0.400"), "{error}");
}
