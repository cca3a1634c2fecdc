//! Clearing the log: reserve it, begin, and ask until it is done.

use super::{ClearSel, Erasure, ReserveSel};
use crate::{Command, CommandError, Completion, Procedure, Response, Step};

/// How often the BMC is asked whether it is done.
const MAX_POLLS: u16 = 250;
/// How often the log is reserved, because others reserve it too, or because clearing it ends the reservation.
const MAX_RESERVATIONS: u8 = 8;
/// The SEL is being erased (IPMI 2.0 §31.4, table 31-4).
const ERASE_IN_PROGRESS: Completion = Completion(0x81);

/// Clears the log. Operator privilege.
///
/// It has no clock: a BMC that answers fast and clears slowly may still be at work after all questions were asked, and
/// the result is then [`Erasure::InProgress`]. Later the entries that Get SEL Info counts tell.
#[derive(Debug, Clone)]
pub struct EraseSel {
    awaiting: Awaiting,
    reservation: u16,
    reservations: u8,
    polls: u16,
    /// Whether the BMC has begun, so that it is only asked how far it is.
    begun: bool,
}

#[derive(Debug, Clone, Copy)]
enum Awaiting {
    Reservation,
    Progress,
}

impl EraseSel {
    /// Clears it.
    #[must_use]
    pub const fn new() -> Self {
        Self { awaiting: Awaiting::Reservation, reservation: 0, reservations: 0, polls: 0, begun: false }
    }

    fn reserve(&mut self) -> Step<Erasure> {
        self.awaiting = Awaiting::Reservation;
        Step::Ask(ReserveSel.request())
    }

    fn clear(&mut self) -> Step<Erasure> {
        self.awaiting = Awaiting::Progress;
        Step::Ask(self.command().request())
    }

    const fn command(&self) -> ClearSel {
        ClearSel { reservation: self.reservation, initiate: !self.begun }
    }

    /// Counts a question that is put again; at the bound the erasure is left to itself.
    fn again(&mut self, question: impl FnOnce(&mut Self) -> Step<Erasure>) -> Step<Erasure> {
        self.polls += 1;
        if self.polls < MAX_POLLS { question(self) } else { Step::Done(Erasure::InProgress) }
    }

    fn on_reservation(&mut self, response: &Response) -> Result<Step<Erasure>, CommandError> {
        if self.begun && response.completion == ERASE_IN_PROGRESS {
            return Ok(self.again(Self::reserve));
        }
        if self.reservations >= MAX_RESERVATIONS {
            let problem = "every reservation of the event log is lost at once";
            return Err(CommandError::Endless { command: ReserveSel::NAME, problem });
        }
        self.reservations += 1;
        // A BMC without reservations takes zero.
        self.reservation =
            if response.completion.is_unsupported() { 0 } else { ReserveSel.read(response)? };
        Ok(self.clear())
    }

    fn on_progress(&mut self, response: &Response) -> Result<Step<Erasure>, CommandError> {
        if response.completion == Completion::RESERVATION_CANCELLED {
            return Ok(self.reserve());
        }
        // Once it has begun, the BMC may be too busy with it to tell how far it is.
        let is_at_work = response.completion == ERASE_IN_PROGRESS || response.completion.is_temporary();
        if self.begun && is_at_work {
            return Ok(self.again(Self::clear));
        }
        let progress = self.command().read(response)?;
        self.begun = true;
        match progress {
            Erasure::Completed => Ok(Step::Done(Erasure::Completed)),
            Erasure::InProgress => Ok(self.again(Self::clear)),
        }
    }
}

impl Default for EraseSel {
    fn default() -> Self {
        Self::new()
    }
}

impl Procedure for EraseSel {
    type Output = Erasure;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Erasure>, CommandError> {
        match (answer, self.awaiting) {
            (None, _) => Ok(self.reserve()),
            (Some(response), Awaiting::Reservation) => self.on_reservation(response),
            (Some(response), Awaiting::Progress) => self.on_progress(response),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Answer = (0x81, &[]);
    const CANCELLED: Answer = (0xc5, &[]);
    const RESERVED: Answer = (0x00, &[0x34, 0x12]);
    const WORKING: Answer = (0x00, &[0x00]);
    const COMPLETED: Answer = (0x00, &[0x01]);

    type Answer = (u8, &'static [u8]);
    type Outcome = Result<Erasure, CommandError>;

    /// Gives these answers, and the last of them again and again. Also tells the questions: R for a reservation, I for
    /// the beginning, S for the progress.
    fn run(answers: &[Answer]) -> (Outcome, String) {
        let mut procedure = EraseSel::new();
        let (mut questions, mut last) = (String::new(), None);
        let mut answers = answers.iter().chain(std::iter::repeat(answers.last().unwrap()));
        loop {
            match procedure.advance(last.as_ref()) {
                Ok(Step::Ask(question)) => questions.push(match question.data.last() {
                    None => 'R',
                    Some(0xaa) => 'I',
                    Some(_) => 'S',
                }),
                Ok(Step::Done(erasure)) => return (Ok(erasure), questions),
                Err(error) => return (Err(error), questions),
            }
            let (completion, data) = answers.next().unwrap();
            last = Some(Response { completion: Completion(*completion), data: data.to_vec() });
        }
    }

    fn completed(questions: &str) -> (Outcome, String) {
        (Ok(Erasure::Completed), questions.into())
    }

    #[test]
    fn it_reserves_begins_and_asks_until_it_is_done() {
        assert_eq!(run(&[RESERVED, WORKING, WORKING, COMPLETED]), completed("RISS"));
        assert_eq!(run(&[RESERVED, COMPLETED]), completed("RI"));
    }

    #[test]
    fn the_reservation_is_passed_on() {
        let mut procedure = EraseSel::new();
        procedure.advance(None).unwrap();
        let answer = Response { completion: Completion::OK, data: vec![0x34, 0x12] };
        let Step::Ask(question) = procedure.advance(Some(&answer)).unwrap() else { panic!() };
        assert_eq!((question.command, &question.data[..]), (0x47, &[0x34, 0x12, 0x43, 0x4c, 0x52, 0xaa][..]));
    }

    #[test]
    fn a_lost_reservation_is_renewed() {
        assert_eq!(run(&[RESERVED, CANCELLED, RESERVED, WORKING, COMPLETED]), completed("RIRIS"));
        // Clearing may itself end the reservation; it is not begun twice.
        assert_eq!(run(&[RESERVED, WORKING, CANCELLED, BUSY, RESERVED, COMPLETED]), completed("RISRRS"));
    }

    #[test]
    fn a_log_that_cannot_be_reserved_is_cleared_without() {
        assert_eq!(run(&[(0xc1, &[]), WORKING, BUSY, COMPLETED]), completed("RISS"));
    }

    #[test]
    fn the_number_of_questions_is_bounded() {
        let (outcome, questions) = run(&[RESERVED, WORKING]);
        assert_eq!((outcome, questions.len()), (Ok(Erasure::InProgress), 1 + usize::from(MAX_POLLS)));
        let lost: Vec<_> = [RESERVED, CANCELLED].repeat(20);
        assert!(matches!(run(&lost).0, Err(CommandError::Endless { .. })));
    }

    #[test]
    fn refusals_are_told() {
        let (outcome, questions) = run(&[RESERVED, (0xd4, &[])]);
        let completion = Completion::INSUFFICIENT_PRIVILEGE;
        assert_eq!(outcome, Err(CommandError::Refused { command: "Clear SEL", completion }));
        assert_eq!(questions, "RI");
        assert!(run(&[BUSY]).0.is_err());
        assert!(matches!(run(&[RESERVED, (0x00, &[])]).0, Err(CommandError::Malformed { .. })));
    }
}
