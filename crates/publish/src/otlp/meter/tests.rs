//! What becomes of requests with readings: taken, rejected, tried again, or given up for what is known then.

use opendcre_gateway::Part;

use super::*;
use crate::otlp::testing::{FixedClock, Receiver, answer, partial, settings};

fn meter(endpoint: &str) -> Meter {
    let clock: Arc<dyn WallClock> = Arc::new(FixedClock);
    let settings = settings(endpoint);
    let exporter = Exporter::new(&settings, Signal::Metrics, Arc::clone(&clock)).unwrap();
    let metrics = OtlpMetrics { interval: Duration::from_secs(60), nodes: None };
    let status = Arc::new(Status::new("otlp.collector.metrics"));
    let back_off = BackOff { first: Duration::from_millis(1), longest: Duration::from_millis(1) };
    Meter { back_off, ..Meter::new(exporter, settings.resource("dcre-1"), metrics, status, clock) }
}

/// What becomes of a request with ten points that may be tried for `patience`, while its receiver gives these answers.
async fn sent(answers: &[Vec<u8>], patience: Duration) -> (Sent, Meter) {
    let receiver = Receiver::new().await;
    let mut meter = meter(&receiver.endpoint);
    let due = Instant::now() + patience;
    let (sent, _) = tokio::join!(meter.send(Bytes::from_static(b"x"), 10, due), receiver.answer(answers));
    (sent, meter)
}

fn numbers(meter: &Meter) -> [u64; 3] {
    let statistics = Deliveries::new(None, vec![Arc::clone(&meter.status)]).deliveries();
    let [one] = &statistics[..] else { panic!("{statistics:?}") };
    [one.delivered, one.failed, one.dead]
}

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_request_is_sent_again_until_it_is_taken() {
    let answers = [answer(503, "", b""), answer(429, "retry-after: 0\r\n", b""), answer(200, "", b"")];
    let (sent, meter) = sent(&answers, LONG).await;
    assert_eq!((sent, numbers(&meter)), (Sent::Whole, [10, 2, 0]));
    assert_eq!((meter.failures, meter.not_before), (0, None));
}

#[tokio::test]
async fn what_the_receiver_wants_to_wait_for_outlasts_the_round() {
    let begun = Instant::now();
    let answers = [answer(503, "retry-after: 900\r\n", b"")];
    let (sent, meter) = sent(&answers, LONG).await;
    assert_eq!((sent, numbers(&meter)), (Sent::Late, [0, 1, 0]));
    assert!(meter.not_before.unwrap() >= begun + Duration::from_secs(900));
    let answers = [answer(503, "retry-after: 99999999\r\n", b"")];
    let (_, meter) = self::sent(&answers, LONG).await;
    assert!(meter.not_before.unwrap() <= Instant::now() + LONGEST_WISH, "nobody is waited for so long");
}

#[tokio::test]
async fn what_is_rejected_is_counted_and_never_sent_again() {
    for (answer, expected) in [(answer(400, "", b""), [0, 1, 10]), (partial(4, "too old"), [6, 1, 4])] {
        let (sent, meter) = sent(&[answer], LONG).await;
        assert_eq!((sent, numbers(&meter)), (Sent::InPart, expected));
    }
    // A receiver that cannot count.
    let (_, meter) = sent(&[partial(i64::MAX, "")], LONG).await;
    assert_eq!(numbers(&meter), [0, 1, 10]);
}
