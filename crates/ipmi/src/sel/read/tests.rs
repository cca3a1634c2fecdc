//! What is read of logs in good and bad order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{SelRecord, SelTime};
use super::*;

/// A log with the habits of a BMC.
struct Log {
    info: SelInfo,
    /// Entries and the ids behind them, by their ids.
    entries: BTreeMap<u16, (SelEntry, u16)>,
    /// The most it returns at once, and what it answers to more.
    most: u8,
    refusal: Completion,
    absent: Completion,
    /// What it takes as the reservation of parts.
    reservation: u16,
    /// How often it cancels the reservation.
    cancels: usize,
    asked: Vec<crate::Request>,
}

impl Log {
    fn new(ids: &[u16]) -> Self {
        let info = SelInfo {
            version: 0x51,
            entries: u16::try_from(ids.len()).unwrap(),
            free_bytes: 1000,
            last_addition: SelTime(0x5f64_fbc0),
            last_erase: SelTime::UNSPECIFIED,
            overflow: false,
            can_delete: false,
            can_add_parts: false,
            can_reserve: true,
            has_allocation_info: false,
        };
        let next = ids.iter().copied().skip(1).chain([GetSelEntry::LAST]);
        let entries = ids.iter().zip(next).map(|(id, next)| (*id, (entry(*id), next))).collect();
        Self {
            info,
            entries,
            most: GetSelEntry::WHOLE,
            refusal: Completion::CANNOT_RETURN_LENGTH,
            absent: Completion::NOT_PRESENT,
            reservation: 0,
            cancels: 0,
            asked: Vec::new(),
        }
    }

    fn answer(&mut self, question: &crate::Request) -> Response {
        self.asked.push(question.clone());
        match question.command {
            0x40 => ok(self.info.encode()),
            0x42 => {
                self.reservation += 1;
                ok(self.reservation.to_le_bytes().to_vec())
            }
            _ => self.part(&question.data),
        }
    }

    fn part(&mut self, data: &[u8]) -> Response {
        let [reservation_low, reservation_high, low, high, offset, count] = data[..] else { panic!() };
        let id = u16::from_le_bytes([low, high]);
        let is_first_readable = self.absent != Completion::UNSPECIFIED || self.entries.contains_key(&1);
        let found = match id {
            0 => self.entries.values().next().filter(|_| is_first_readable),
            GetSelEntry::LAST => self.entries.values().next_back(),
            id => self.entries.get(&id),
        };
        let Some((entry, next)) = found else { return refused(self.absent) };
        if count > self.most {
            return refused(self.refusal);
        }
        if offset > 0 {
            let is_reserved = u16::from_le_bytes([reservation_low, reservation_high]) == self.reservation;
            if self.cancels > 0 || !is_reserved {
                self.cancels = self.cancels.saturating_sub(1);
                return refused(Completion::RESERVATION_CANCELLED);
            }
        }
        let part = entry.encode().into_iter().skip(offset.into()).take(count.into());
        ok(next.to_le_bytes().into_iter().chain(part).collect())
    }

    fn read(&mut self, start: SelStart, limit: u16) -> Result<SelPage, CommandError> {
        let mut procedure = ReadSel::new(start, limit);
        let mut last = None;
        for _ in 0..10_000 {
            match procedure.advance(last.as_ref())? {
                Step::Ask(question) => last = Some(self.answer(&question)),
                Step::Done(page) => return Ok(page),
            }
        }
        panic!("it asks without end");
    }

    fn ids(&mut self, start: SelStart, limit: u16) -> Vec<u16> {
        ids(&self.read(start, limit).unwrap())
    }
}

fn entry(id: u16) -> SelEntry {
    SelEntry { id, record: SelRecord::Oem { record_type: 0xe0, data: [7; 13] } }
}

fn ids(page: &SelPage) -> Vec<u16> {
    page.entries.iter().map(|entry| entry.id).collect()
}

fn ok(data: Vec<u8>) -> Response {
    Response { completion: Completion::OK, data }
}

fn refused(completion: Completion) -> Response {
    Response { completion, data: Vec::new() }
}

#[test]
fn an_empty_log_is_not_walked() {
    let mut log = Log::new(&[]);
    let page = log.read(SelStart::First, 10).unwrap();
    assert_eq!((page.entries.len(), page.last, page.more), (0, None, false));
    assert!(!page.start_vanished);
    assert_eq!(log.asked.len(), 1);
    assert!(log.read(SelStart::After(7), 10).unwrap().start_vanished);
}

#[test]
fn the_list_is_followed_to_its_end() {
    let mut log = Log::new(&[1, 4, 9]);
    let page = log.read(SelStart::First, 10).unwrap();
    assert_eq!(ids(&page), [1, 4, 9]);
    assert_eq!((page.last, page.more, page.cut_short), (Some(9), false, None));
    assert_eq!(page.info, log.info);
    let questions: Vec<_> = log.asked[1..].iter().map(|question| question.data.clone()).collect();
    assert_eq!(questions, [[0, 0, 0, 0, 0, 0xff], [0, 0, 4, 0, 0, 0xff], [0, 0, 9, 0, 0, 0xff]]);
}

#[test]
fn the_limit_leaves_the_rest_for_the_next_page() {
    let mut log = Log::new(&[1, 4, 9]);
    let page = log.read(SelStart::First, 2).unwrap();
    assert_eq!((ids(&page), page.last, page.more), (vec![1, 4], Some(4), true));
    let page = log.read(SelStart::After(4), 2).unwrap();
    assert_eq!((ids(&page), page.last, page.more), (vec![9], Some(9), false));
    assert_eq!(page.start, Some(entry(4)));
    let page = log.read(SelStart::After(9), 2).unwrap();
    assert_eq!((ids(&page), page.last, page.more), (vec![], Some(9), false));
    assert_eq!(log.ids(SelStart::First, 0), [1]);
}

#[test]
fn a_state_that_is_known_is_not_asked_for() {
    let mut log = Log::new(&[1, 4, 9]);
    let mut procedure = ReadSel::new(SelStart::After(1), 10).with_info(log.info);
    let Ok(Step::Ask(mut question)) = procedure.advance(None) else { panic!() };
    while let Step::Ask(next) = procedure.advance(Some(&log.answer(&question))).unwrap() {
        question = next;
    }
    assert!(log.asked.iter().all(|question| question.command == 0x43));
    assert_eq!(log.asked.len(), 3);
    let empty = ReadSel::new(SelStart::First, 10).with_info(Log::new(&[]).info).advance(None);
    assert!(matches!(empty, Ok(Step::Done(page)) if page.entries.is_empty()));
}

#[test]
fn what_has_been_read_is_there_when_the_bmc_falls_silent() {
    let mut log = Log::new(&[1, 4, 9]);
    let mut procedure = ReadSel::new(SelStart::First, 10);
    assert_eq!(procedure.clone().into_page(), None);
    let mut last = None;
    for _ in 0..3 {
        let Ok(Step::Ask(question)) = procedure.advance(last.as_ref()) else { panic!() };
        last = Some(log.answer(&question));
    }
    procedure.advance(last.as_ref()).unwrap();
    let page = procedure.into_page().unwrap();
    assert_eq!((ids(&page), page.last, page.more), (vec![1, 4], Some(4), true));
}

#[test]
fn a_start_that_has_vanished_is_told() {
    for absent in [0xcb, 0xc9, 0xcc, 0xff] {
        let mut log = Log { absent: Completion(absent), ..Log::new(&[1, 4]) };
        let page = log.read(SelStart::After(3), 10).unwrap();
        assert!(page.start_vanished);
        assert_eq!(ids(&page), [1, 4]);
        assert_eq!(log.asked.last().unwrap().data[5], GetSelEntry::WHOLE, "whole entries are tried anew");
    }
    let mut log = Log { absent: Completion::INSUFFICIENT_PRIVILEGE, ..Log::new(&[1, 4]) };
    log.read(SelStart::After(3), 10).unwrap_err();
}

#[test]
fn entries_are_read_in_parts_where_they_must_be() {
    for (most, refusal) in [(16, 0xca), (16, 0xff), (10, 0xc7), (7, 0xc8), (1, 0xc9)] {
        let mut log = Log { most, refusal: Completion(refusal), ..Log::new(&[1, 4, 9]) };
        assert_eq!(log.ids(SelStart::First, 10), [1, 4, 9]);
        assert_eq!(log.asked.iter().filter(|question| question.command == 0x42).count(), 1);
    }
    let mut log = Log { most: 0, ..Log::new(&[1]) };
    log.read(SelStart::First, 10).unwrap_err();
}

#[test]
fn a_lost_reservation_is_renewed_but_not_for_ever() {
    let mut log = Log { most: 8, cancels: 5, ..Log::new(&[1, 4, 9]) };
    assert_eq!(log.ids(SelStart::First, 10), [1, 4, 9]);
    let mut log = Log { most: 8, cancels: usize::MAX, ..Log::new(&[1, 4, 9]) };
    log.read(SelStart::First, 10).unwrap_err();
}

#[test]
fn answers_that_are_too_short_are_completed() {
    let mut log = Log::new(&[1, 4]);
    let mut procedure = ReadSel::new(SelStart::First, 10);
    let mut last = None;
    let page = loop {
        match procedure.advance(last.as_ref()).unwrap() {
            Step::Ask(question) => {
                let mut answer = log.answer(&question);
                if question.command == 0x43 {
                    answer.data.truncate(2 + 9);
                }
                last = Some(answer);
            }
            Step::Done(page) => break page,
        }
    };
    assert_eq!(page.entries, [entry(1), entry(4)]);
}

#[test]
fn a_list_that_leads_back_ends() {
    for back in [0, 1, 4, 9] {
        let mut log = Log::new(&[1, 4, 9]);
        log.entries.get_mut(&9).unwrap().1 = back;
        let page = log.read(SelStart::First, 1000).unwrap();
        assert_eq!(ids(&page), [1, 4, 9]);
        assert!(matches!(page.cut_short, Some(CommandError::Endless { .. })));
    }
}

#[test]
fn entries_are_kept_when_the_rest_cannot_be_read() {
    let mut log = Log::new(&[1, 4, 9]);
    log.entries.remove(&9);
    let page = log.read(SelStart::First, 10).unwrap();
    assert_eq!((ids(&page), page.last), (vec![1, 4], Some(4)));
    let absent = CommandError::Refused { command: "Get SEL Entry", completion: Completion::NOT_PRESENT };
    assert_eq!(page.cut_short, Some(absent));
}

/// A log in which nobody can read these entries.
fn with_holes(ids: &[u16], holes: &[u16]) -> Log {
    let mut log = Log { absent: Completion::UNSPECIFIED, ..Log::new(ids) };
    log.entries.retain(|id, _| !holes.contains(id));
    log
}

/// What is read and what is left out from `start` on.
fn around(log: &mut Log, start: SelStart) -> (Vec<u16>, Vec<u16>) {
    let mut procedure = ReadSel::new(start, 10).leaving_out(true);
    let mut last = None;
    for _ in 0..10_000 {
        match procedure.advance(last.as_ref()).unwrap() {
            Step::Ask(question) => last = Some(log.answer(&question)),
            Step::Done(page) => {
                assert_eq!((page.more, page.cut_short.clone()), (false, None));
                return (ids(&page), page.left_out.iter().map(|(id, _)| *id).collect());
            }
        }
    }
    panic!("it asks without end");
}

#[test]
fn an_entry_that_cannot_be_read_is_left_out_if_that_is_wanted() {
    let start = SelStart::First;
    with_holes(&[1, 2, 3], &[2]).read(SelStart::After(1), 10).unwrap_err();
    assert_eq!(around(&mut with_holes(&[1, 2, 3, 4], &[2]), start), (vec![1, 3, 4], vec![2]));
    assert_eq!(around(&mut with_holes(&[1, 2, 3, 4], &[2]), SelStart::After(1)), (vec![3, 4], vec![2]));
    assert_eq!(around(&mut with_holes(&[1, 2, 3, 4], &[2, 3]), start), (vec![1, 4], vec![2]));
    assert_eq!(around(&mut with_holes(&[1, 2, 3], &[3]), start), (vec![1, 2], vec![3]));
    assert_eq!(around(&mut with_holes(&[1], &[1]), start), (vec![], vec![0]));
    assert_eq!(around(&mut with_holes(&[1, 0xfffe], &[0xfffe]), start), (vec![1], vec![0xfffe]));
}

#[test]
fn the_last_entry_is_found_behind_a_gap_in_the_ids() {
    let mut log = with_holes(&[1, 2, 500], &[2]);
    assert_eq!(around(&mut log, SelStart::First), (vec![1, 500], vec![2]));
    assert!(log.asked.len() < 40, "{}", log.asked.len());
}

#[test]
fn a_log_of_which_hardly_anything_can_be_read_is_not_searched_for_ever() {
    let ids: Vec<u16> = (1..=60).collect();
    let holes: Vec<u16> = ids.iter().copied().filter(|id| id % 2 == 0).collect();
    let mut log = with_holes(&ids, &holes);
    let mut procedure = ReadSel::new(SelStart::First, 64).leaving_out(true);
    let mut last = None;
    let page = loop {
        match procedure.advance(last.as_ref()).unwrap() {
            Step::Ask(question) => last = Some(log.answer(&question)),
            Step::Done(page) => break page,
        }
    };
    assert_eq!((page.left_out.len(), super::tests::ids(&page)), (4, vec![1, 3, 5, 7, 9]));
    assert!(page.cut_short.is_some() && log.asked.len() < 100, "{}", log.asked.len());
}

#[test]
fn a_log_that_was_cleared_in_the_meantime_is_empty() {
    let mut log = Log::new(&[1, 4, 9]);
    log.entries.clear();
    let page = log.read(SelStart::First, 10).unwrap();
    assert_eq!((page.entries.len(), page.cut_short), (0, None));
    let page = log.read(SelStart::After(4), 10).unwrap();
    assert!(page.start_vanished);
}

proptest! {
    #[test]
    fn no_answers_do_harm(
        after in prop::option::of(any::<u16>()),
        leaves_out in any::<bool>(),
        answers in prop::collection::vec((0_usize..12, prop::collection::vec(any::<u8>(), 0..24)), 1..40),
    ) {
        const CODES: [u8; 12] = [0, 0, 0, 0, 0, 0, 0xc5, 0xca, 0xcb, 0xff, 0xc1, 0xc9];
        let start = after.map_or(SelStart::First, SelStart::After);
        let mut procedure = ReadSel::new(start, 50).leaving_out(leaves_out);
        let mut last = None;
        let info = ok(Log::new(&[1]).info.encode());
        let mut answers = answers.into_iter().cycle();
        for step in 0..2000 {
            match procedure.advance(last.as_ref()) {
                Ok(Step::Ask(_)) if step == 0 => last = Some(info.clone()),
                Ok(Step::Ask(_)) => {
                    let (code, data) = answers.next().unwrap();
                    last = Some(Response { completion: Completion(CODES[code]), data });
                }
                Ok(Step::Done(page)) => {
                    prop_assert!(page.entries.len() <= 50);
                    return Ok(());
                }
                Err(_) => return Ok(()),
            }
        }
        prop_assert!(false, "it asks without end");
    }
}
