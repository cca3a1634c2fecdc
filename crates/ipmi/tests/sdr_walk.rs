//! Walking repositories of BMCs that are small, slow to trust, broken or hostile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use opendcre_ipmi::sdr::{
    DeviceSdrInfo, MAX_RECORDS, OemRecord, RecordProblem, Repository, RepositoryInfo, RepositoryOperations,
    SDR_VERSION, Sdr, SdrRecord, Source, Stamp, WalkSdr,
};
use opendcre_ipmi::{CommandError, Completion, NetFn, Procedure, Request, Response, Step};
use proptest::prelude::*;

/// The most requests that any walk may need: three for each part of each record that it may read.
const ENOUGH: usize = 3 * 64 * MAX_RECORDS;

/// A BMC that has records, and habits.
struct Bmc {
    records: Vec<Sdr>,
    info: RepositoryInfo,
    /// It answers no more bytes at once than this.
    limit: usize,
    refusal: Completion,
    /// Reservations that are lost, each at the request of this number.
    losses: Vec<usize>,
    reservation: u16,
    /// The last record names this as the next.
    after_last: u16,
    requests: Vec<Request>,
}

impl Bmc {
    fn new(records: Vec<Sdr>) -> Self {
        let operations = RepositoryOperations { reserve: true, ..RepositoryOperations::default() };
        let count = u16::try_from(records.len()).unwrap();
        let info = RepositoryInfo { version: 0x51, records: count, operations, ..RepositoryInfo::default() };
        Self {
            records,
            info,
            limit: 250,
            refusal: Completion::CANNOT_RETURN_LENGTH,
            losses: Vec::new(),
            reservation: 1,
            after_last: 0xffff,
            requests: Vec::new(),
        }
    }

    fn answer(&mut self, request: &Request) -> Response {
        self.requests.push(request.clone());
        if self.losses.contains(&self.requests.len()) {
            self.reservation += 1;
        }
        match (request.netfn, request.command) {
            (NetFn::STORAGE, 0x20) => ok(self.info.encode()),
            (NetFn::SENSOR, 0x20) => {
                let info = DeviceSdrInfo { sensors: 9, luns: 1, population: Some(7) };
                ok(info.encode())
            }
            (NetFn::STORAGE | NetFn::SENSOR, 0x22) => {
                self.reservation += 1;
                ok(self.reservation.to_le_bytes().to_vec())
            }
            (NetFn::STORAGE, 0x23) | (NetFn::SENSOR, 0x21) => self.part(&request.data),
            _ => refused(Completion::INVALID_COMMAND),
        }
    }

    fn part(&self, data: &[u8]) -> Response {
        let [reservation_low, reservation_high, id_low, id_high, offset, count] = data.try_into().unwrap();
        let reservation = u16::from_le_bytes([reservation_low, reservation_high]);
        if offset > 0 && reservation != self.reservation {
            return refused(Completion::RESERVATION_CANCELLED);
        }
        let id = u16::from_le_bytes([id_low, id_high]);
        let found = self.records.iter().position(|record| record.id == id || id == 0);
        let Some(index) = found else { return refused(Completion::NOT_PRESENT) };
        if usize::from(count) > self.limit {
            return refused(self.refusal);
        }
        let next = self.records.get(index + 1).map_or(self.after_last, |record| record.id);
        let bytes = self.records[index].encode();
        let end = bytes.len().min(usize::from(offset) + usize::from(count));
        ok([&next.to_le_bytes(), &bytes[usize::from(offset)..end]].concat())
    }
}

fn ok(data: Vec<u8>) -> Response {
    Response { completion: Completion::OK, data }
}

fn refused(completion: Completion) -> Response {
    Response { completion, data: Vec::new() }
}

/// Walks with whatever answers.
fn walk(source: Source, mut answer: impl FnMut(&Request) -> Response) -> Result<Repository, CommandError> {
    let mut walk = WalkSdr::new(source);
    let mut response = None;
    for _ in 0..ENOUGH {
        match walk.advance(response.as_ref())? {
            Step::Ask(request) => response = Some(answer(&request)),
            Step::Done(repository) => return Ok(repository),
        }
    }
    panic!("the walk does not end");
}

fn walk_bmc(bmc: &mut Bmc) -> Result<Repository, CommandError> {
    walk(Source::Repository, |request| bmc.answer(request))
}

fn record(id: u16, length: usize) -> Sdr {
    let record = SdrRecord::Oem(OemRecord { manufacturer: 0x1291, data: vec![0xa5; length] });
    Sdr { id, version: SDR_VERSION, record }
}

fn records(count: u16) -> Vec<Sdr> {
    (1..=count).map(|id| record(id * 3, usize::from(id) % 60)).collect()
}

#[test]
fn all_records_are_read_in_order() {
    let mut bmc = Bmc::new(records(100));
    bmc.info.last_addition = 77;
    let repository = walk_bmc(&mut bmc).unwrap();
    assert_eq!(repository.records, bmc.records);
    assert_eq!(repository.cut_short, None);
    assert_eq!(repository.stamp, Stamp::Repository { records: 100, last_addition: 77, last_erase: 0 });
    assert_eq!(bmc.requests.len(), 2 + 2 * 100, "a header and a body each");
}

#[test]
fn a_walk_that_was_left_in_the_middle_keeps_what_it_has() {
    for left_after in 1..=202 {
        let mut bmc = Bmc::new(records(100));
        let mut walk = WalkSdr::new(Source::Repository);
        let mut response = None;
        for _ in 0..left_after {
            let Step::Ask(request) = walk.advance(response.as_ref()).unwrap() else { panic!("it is done") };
            response = Some(bmc.answer(&request));
        }
        response = None;
        let repository = loop {
            match walk.advance(response.as_ref()).unwrap() {
                Step::Ask(request) => response = Some(bmc.answer(&request)),
                Step::Done(repository) => break repository,
            }
        };
        assert_eq!(repository.records, bmc.records, "left after {left_after}");
        assert!(bmc.requests.len() <= 202 + 4, "information, reservation and one record are asked for again");
    }
}

#[test]
fn the_records_of_a_controller_are_read_with_its_commands() {
    let mut bmc = Bmc::new(records(9));
    let repository = walk(Source::Device { lun: 2 }, |request| bmc.answer(request)).unwrap();
    assert_eq!(repository.records, bmc.records);
    assert_eq!(repository.stamp, Stamp::Device { sensors: 9, population: Some(7) });
    assert!(bmc.requests.iter().all(|request| request.netfn == NetFn::SENSOR && request.lun == 2));
}

#[test]
fn an_empty_repository_is_not_read() {
    let mut bmc = Bmc::new(Vec::new());
    assert_eq!(walk_bmc(&mut bmc).unwrap().records, []);
    assert_eq!(bmc.requests.len(), 1);
}

#[test]
fn parts_shrink_until_the_bmc_bears_them_and_stay_so() {
    for refusal in [
        Completion::LENGTH_INVALID,
        Completion::LENGTH_EXCEEDED,
        Completion::CANNOT_RETURN_LENGTH,
        Completion::NO_RESPONSE,
        Completion::UNSPECIFIED,
    ] {
        let mut bmc = Bmc::new((1..=50).map(|id| record(id, 56)).collect());
        (bmc.limit, bmc.refusal) = (20, refusal);
        assert_eq!(walk_bmc(&mut bmc).unwrap().records, bmc.records);
        let refusals = bmc.requests.iter().filter(|request| request.data.get(5) > Some(&20)).count();
        assert_eq!(refusals, 2, "59 and 32 bytes");
    }
}

#[test]
fn a_lost_reservation_is_taken_again_and_the_record_read_from_its_beginning() {
    let mut bmc = Bmc::new((1..=20).map(|id| record(id, 56)).collect());
    (bmc.limit, bmc.losses) = (16, vec![7, 20, 21, 60]);
    assert_eq!(walk_bmc(&mut bmc).unwrap().records, bmc.records);
}

#[test]
fn a_repository_that_changes_is_read_anew() {
    let mut bmc = Bmc::new(records(5));
    let mut has_changed = false;
    let repository = walk(Source::Repository, |request| {
        if bmc.requests.len() == 8 && !has_changed {
            has_changed = true;
            bmc.reservation += 1;
            bmc.records = records(7);
            (bmc.info.records, bmc.info.last_addition) = (7, 1);
        }
        bmc.answer(request)
    })
    .unwrap();
    assert!(has_changed);
    assert_eq!(repository.records, records(7));
    assert_eq!(repository.stamp, Stamp::Repository { records: 7, last_addition: 1, last_erase: 0 });
}

#[test]
fn reservations_that_are_always_lost_end_it() {
    let mut bmc = Bmc::new(records(5));
    let error = walk(Source::Repository, |request| {
        bmc.reservation += u16::from(request.command == 0x23);
        bmc.answer(request)
    })
    .unwrap_err();
    let completion = Completion::RESERVATION_CANCELLED;
    assert_eq!(error, CommandError::Refused { command: "Get SDR", completion });
    assert!(bmc.requests.len() < 200);
}

#[test]
fn a_bmc_without_reservations_is_read_with_zero() {
    let mut bmc = Bmc::new(records(5));
    (bmc.info.operations.reserve, bmc.reservation) = (false, 0);
    assert_eq!(walk_bmc(&mut bmc).unwrap().records, bmc.records);
    assert!(bmc.requests.iter().all(|request| request.command != 0x22));

    let mut bmc = Bmc::new(records(5));
    bmc.reservation = 0;
    let repository = walk(Source::Repository, |request| match request.command {
        0x22 => refused(Completion::INVALID_COMMAND),
        _ => bmc.answer(request),
    });
    assert_eq!(repository.unwrap().records, bmc.records);
}

#[test]
fn a_bmc_that_hides_its_need_for_reservations_is_reserved() {
    let mut bmc = Bmc::new(records(5));
    bmc.info.operations.reserve = false;
    assert_eq!(walk_bmc(&mut bmc).unwrap().records, bmc.records);
}

#[test]
fn loops_end_with_the_records_that_are_there() {
    for target in [3, 9, 15, 0] {
        let mut bmc = Bmc::new(records(5));
        bmc.after_last = target;
        let repository = walk_bmc(&mut bmc).unwrap();
        assert_eq!(repository.records, bmc.records);
        let reason = repository.cut_short.unwrap();
        assert!(matches!(reason, CommandError::Endless { command: "Get SDR", .. }), "{reason}");
        assert!(bmc.requests.len() < 20);
    }
}

#[test]
fn endless_repositories_are_cut_short() {
    let mut asked = 0;
    let mut bmc = Bmc::new(records(1));
    let repository = walk(Source::Repository, |request| {
        asked += 1;
        if request.command != 0x23 {
            return bmc.answer(request);
        }
        let id = u16::from_le_bytes([request.data[2], request.data[3]]);
        let header = [&id.to_le_bytes()[..], &[0x51, 0x77, 0]].concat();
        ok([&(id + 1).to_le_bytes(), header.as_slice()].concat())
    })
    .unwrap();
    assert!(matches!(repository.cut_short, Some(CommandError::Endless { .. })), "{:?}", repository.cut_short);
    assert!(asked <= MAX_RECORDS + 2);
}

#[test]
fn a_record_that_the_bmc_does_not_give_costs_that_record() {
    let mut bmc = Bmc::new(records(5));
    let repository = walk(Source::Repository, |request| match request.data.as_slice() {
        [_, _, 6, 0, 5, _] => refused(Completion::UNSPECIFIED),
        _ => bmc.answer(request),
    })
    .unwrap();
    let problem = RecordProblem::Refused(Completion::UNSPECIFIED);
    let lost = SdrRecord::Unreadable { record_type: 0xc0, data: Vec::new(), problem };
    assert_eq!(repository.records[1], Sdr { id: 6, version: SDR_VERSION, record: lost });
    assert_eq!(repository.records[2..], bmc.records[2..]);
    let large = bmc.requests.iter().filter(|request| request.data.get(5) > Some(&5)).count();
    assert_eq!(large, 3, "the records after it are read in large parts again");
}

#[test]
fn a_record_that_does_not_decode_costs_that_record() {
    let mut bmc = Bmc::new(records(5));
    bmc.records[2].record = SdrRecord::Unknown { record_type: 0x01, data: vec![0x20, 0, 1] };
    let repository = walk_bmc(&mut bmc).unwrap();
    let SdrRecord::Unreadable { record_type, data, problem } = &repository.records[2].record else {
        panic!("{:?}", repository.records[2]);
    };
    assert_eq!((*record_type, data.as_slice()), (0x01, &[0x20, 0, 1][..]));
    assert_eq!(problem.to_string(), "a full sensor record ends too early, after 3 bytes");
    assert_eq!(repository.records[3..], bmc.records[3..]);
}

#[test]
fn a_chain_that_leads_nowhere_gives_what_came_before() {
    let mut bmc = Bmc::new(records(5));
    bmc.after_last = 0x1234;
    let repository = walk_bmc(&mut bmc).unwrap();
    assert_eq!(repository.records, bmc.records);
    let completion = Completion::NOT_PRESENT;
    assert_eq!(repository.cut_short, Some(CommandError::Refused { command: "Get SDR", completion }));
}

#[test]
fn a_busy_bmc_does_not_look_like_a_short_repository() {
    for busy_from in [0, 5] {
        let mut bmc = Bmc::new(records(5));
        let error = walk(Source::Repository, |request| match request.data.as_slice() {
            [_, _, 9, 0, offset, _] if *offset == busy_from => refused(Completion::NODE_BUSY),
            _ => bmc.answer(request),
        })
        .unwrap_err();
        let completion = Completion::NODE_BUSY;
        assert_eq!(error, CommandError::Refused { command: "Get SDR", completion });
    }
}

#[test]
fn a_controller_without_sensors_may_have_other_records() {
    for count in [0, 2] {
        let mut bmc = Bmc::new(records(count));
        let repository = walk(Source::Device { lun: 0 }, |request| match request.command {
            0x20 => ok(DeviceSdrInfo { sensors: 0, luns: 1, population: None }.encode()),
            _ => bmc.answer(request),
        });
        assert_eq!(repository.unwrap().records, records(count));
    }
}

#[test]
fn a_late_answer_to_an_earlier_question_is_asked_again() {
    let mut bmc = Bmc::new(records(5));
    let mut is_late = true;
    let repository = walk(Source::Repository, |request| {
        let answer = bmc.answer(request);
        if request.data.get(2..5) == Some(&[9, 0, 0]) && std::mem::take(&mut is_late) {
            let mut request = request.clone();
            request.data[2] = 6;
            return bmc.answer(&request);
        }
        answer
    })
    .unwrap();
    assert!(!is_late);
    assert_eq!(repository.records, bmc.records);
}

#[test]
fn a_bmc_that_keeps_records_under_other_ids_is_believed_the_second_time() {
    let mut bmc = Bmc::new(records(3));
    let repository = walk(Source::Repository, |request| {
        let mut answer = bmc.answer(request);
        if request.command == 0x23 && request.data[4] == 0 {
            answer.data[2..4].copy_from_slice(&[0xee, 0xee]);
        }
        answer
    })
    .unwrap();
    let ids: Vec<_> = repository.records.iter().map(|record| record.id).collect();
    assert_eq!(ids, [0xeeee, 6, 9], "the id of the first is known only from itself");
    assert_eq!(repository.records[2].record, bmc.records[2].record);
}

#[test]
fn a_bmc_that_answers_with_ever_other_records_costs_that_record() {
    let mut bmc = Bmc::new(records(3));
    let mut wrong = 0x40;
    let repository = walk(Source::Repository, |request| {
        let mut answer = bmc.answer(request);
        if request.data.get(2..5) == Some(&[6, 0, 0]) {
            wrong += 1;
            answer.data[2] = wrong;
        }
        answer
    })
    .unwrap();
    let problem = RecordProblem::WrongId(0x42);
    let lost = SdrRecord::Unreadable { record_type: 0xc0, data: Vec::new(), problem };
    assert_eq!(repository.records[1], Sdr { id: 6, version: SDR_VERSION, record: lost });
    assert_eq!(repository.records[2], bmc.records[2]);
}

#[test]
fn a_record_of_any_length_is_read_or_refused() {
    for length in 0..=255_u8 {
        let mut bmc = Bmc::new(vec![record(1, 3), record(2, 3)]);
        bmc.records[0].record = SdrRecord::Unknown { record_type: 0x77, data: vec![1; usize::from(length)] };
        let repository = walk_bmc(&mut bmc).unwrap();
        assert_eq!(repository.records[1], bmc.records[1]);
        let is_whole = repository.records[0] == bmc.records[0];
        assert_eq!(is_whole, length <= 250, "a part can begin at 255 at most: {length}");
    }
}

/// An answer of a BMC that may say anything.
fn answers() -> impl Strategy<Value = Vec<Response>> {
    let completion = prop_oneof![
        8 => Just(Completion::OK),
        1 => Just(Completion::RESERVATION_CANCELLED),
        1 => Just(Completion::CANNOT_RETURN_LENGTH),
        1 => any::<u8>().prop_map(Completion),
    ];
    let data = prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..70);
    let answer = (completion, data).prop_map(|(completion, data)| Response { completion, data });
    prop::collection::vec(answer, 1..50)
}

proptest! {
    #[test]
    fn whatever_a_bmc_says_the_walk_ends(answers in answers()) {
        let mut answers = answers.iter().cycle();
        if let Ok(repository) = walk(Source::Repository, |_| answers.next().unwrap().clone()) {
            prop_assert!(repository.records.len() <= MAX_RECORDS);
        }
    }
}
