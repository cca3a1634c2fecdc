//! Reading a FRU device piece by piece.
//!
//! BMCs differ in how much they return at once, and say so in different ways; some return less than they were asked
//! for. The reader begins with a size that nearly all can do, makes it smaller as long as it is refused, and stops when
//! it has everything that the header speaks of: the rest of the memory is empty, and often much larger.

use super::layout::used;
use super::{FruInventory, FruInventoryArea, GetFruInventoryArea, ReadFruData};
use crate::{Command, CommandError, Completion, DecodeError, Procedure, Response, Step};

/// Bytes in the first request: what nearly all BMCs return at once, not the most that LAN messages can carry.
const FIRST_CHUNK: u8 = 32;
/// Smaller requests are not tried.
const LAST_CHUNK: u8 = 4;
/// Requests for one device at most: 64 KiB in pieces of 16 bytes.
const MAX_REQUESTS: u16 = 4096;
/// How often a device that is busy is asked again, in all.
const MAX_BUSY: u8 = 8;
/// Read FRU Data: the FRU device is busy (IPMI 2.0 §34.2, table 34-3).
const DEVICE_BUSY: Completion = Completion(0x81);

/// What could be read of a FRU device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FruContents {
    /// The size that the BMC gives, used or not.
    pub size: u16,
    /// Everything in use, from the beginning; less if it was cut short.
    pub bytes: Vec<u8>,
    /// Why not everything in use could be read.
    pub cut_short: Option<CommandError>,
}

impl FruContents {
    /// What the bytes say.
    ///
    /// # Errors
    /// See [`FruInventory::decode`].
    pub fn inventory(&self) -> Result<FruInventory, DecodeError> {
        FruInventory::decode(&self.bytes)
    }
}

/// Reads the used part of a FRU device. Fails if nothing can be read; a later refusal cuts the contents short.
///
/// ```
/// use opendcre_ipmi::fru::ReadFru;
/// use opendcre_ipmi::{Completion, Procedure, Response, Step};
///
/// let mut procedure = ReadFru::new(0);
/// let Step::Ask(question) = procedure.advance(None)? else { unreachable!() };
/// assert_eq!(question.command, 0x10);
/// // An empty device: eight bytes, and none of them was ever written.
/// let size = Response { completion: Completion::OK, data: vec![8, 0, 0] };
/// let Step::Ask(question) = procedure.advance(Some(&size))? else { unreachable!() };
/// assert_eq!(question.data, [0, 0, 0, 8]);
/// let blank = Response { completion: Completion::OK, data: [[8].as_slice(), &[0xff; 8]].concat() };
/// let Step::Done(contents) = procedure.advance(Some(&blank))? else { unreachable!() };
/// assert!(contents.inventory().is_err());
/// # Ok::<(), opendcre_ipmi::CommandError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReadFru {
    device: u8,
    /// Known after the first answer.
    area: Option<FruInventoryArea>,
    bytes: Vec<u8>,
    /// Bytes to ask for at once.
    chunk: u8,
    requests: u16,
    busy: u8,
}

impl ReadFru {
    /// Reads this device.
    #[must_use]
    pub const fn new(device: u8) -> Self {
        Self { device, area: None, bytes: Vec::new(), chunk: FIRST_CHUNK, requests: 0, busy: 0 }
    }

    /// The next piece, or the end.
    fn next(&mut self, area: FruInventoryArea) -> Result<Step<FruContents>, CommandError> {
        let Some(question) = self.question(area) else { return Ok(self.end(area, None)) };
        if self.requests >= MAX_REQUESTS {
            let problem = "a FRU device needs more than 4096 requests";
            return self.fail(area, CommandError::Endless { command: ReadFruData::NAME, problem });
        }
        self.requests += 1;
        Ok(Step::Ask(question.request()))
    }

    /// What to ask for next; nothing when everything in use is there, or everything there is.
    fn question(&self, area: FruInventoryArea) -> Option<ReadFruData> {
        let unit = area.access.unit();
        let size = usize::from(area.size / u16::from(unit) * u16::from(unit));
        let read = self.bytes.len();
        if read >= used(&self.bytes).min(size) {
            return None;
        }
        let length = u8::try_from(size - read).unwrap_or(u8::MAX).min(self.chunk);
        let offset = u16::try_from(read).ok()? / u16::from(unit);
        Some(ReadFruData { device: self.device, access: area.access, offset, count: length / unit })
    }

    fn on_data(
        &mut self,
        area: FruInventoryArea,
        response: &Response,
    ) -> Result<Step<FruContents>, CommandError> {
        let Some(question) = self.question(area) else { return Ok(self.end(area, None)) };
        if response.completion == DEVICE_BUSY && self.busy < MAX_BUSY {
            self.busy += 1;
            return self.next(area);
        }
        if response.completion.asks_for_less() && self.chunk > LAST_CHUNK {
            self.chunk /= 2;
            return self.next(area);
        }
        match question.read(response) {
            Ok(piece) if piece.is_empty() => self.fail(area, no_progress()),
            Ok(piece) => {
                self.bytes.extend(piece);
                self.next(area)
            }
            Err(error) => self.fail(area, error),
        }
    }

    /// Keeps what is there; without anything it is an error.
    fn fail(
        &mut self,
        area: FruInventoryArea,
        error: CommandError,
    ) -> Result<Step<FruContents>, CommandError> {
        if self.bytes.is_empty() { Err(error) } else { Ok(self.end(area, Some(error))) }
    }

    fn end(&mut self, area: FruInventoryArea, cut_short: Option<CommandError>) -> Step<FruContents> {
        Step::Done(FruContents { size: area.size, bytes: std::mem::take(&mut self.bytes), cut_short })
    }
}

impl Procedure for ReadFru {
    type Output = FruContents;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<FruContents>, CommandError> {
        let command = GetFruInventoryArea { device: self.device };
        match (answer, self.area) {
            (None, _) => Ok(Step::Ask(command.request())),
            (Some(response), None) => {
                let area = command.read(response)?;
                self.area = Some(area);
                self.next(area)
            }
            (Some(response), Some(area)) => self.on_data(area, response),
        }
    }
}

const fn no_progress() -> CommandError {
    CommandError::Endless { command: ReadFruData::NAME, problem: "the answer to a request for data has none" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ChassisInfo, ChassisType, FruAccess};
    use super::*;

    /// A FRU device with the habits of a BMC.
    struct Device {
        area: FruInventoryArea,
        bytes: Vec<u8>,
        /// The most it returns at once, and what it answers to more.
        most: u8,
        refusal: Completion,
        /// Bytes it returns although more were asked for.
        returns: u8,
        asked: Vec<Vec<u8>>,
    }

    impl Device {
        fn new(size: u16) -> Self {
            let chassis = ChassisInfo {
                chassis_type: ChassisType::RACK_MOUNT,
                part_number: "a part number".into(),
                serial_number: "a serial number".into(),
                custom: vec!["something more, so that it takes several requests".into()],
            };
            let inventory = FruInventory { chassis: Some(chassis), ..FruInventory::default() };
            let mut bytes = inventory.encode().unwrap();
            bytes.resize(size.into(), 0xff);
            Self {
                area: FruInventoryArea { size, access: FruAccess::Bytes },
                bytes,
                most: u8::MAX,
                refusal: Completion::CANNOT_RETURN_LENGTH,
                returns: u8::MAX,
                asked: Vec::new(),
            }
        }

        fn answer(&mut self, question: &crate::Request) -> Response {
            if question.command == 0x10 {
                return ok(self.area.encode());
            }
            self.asked.push(question.data.clone());
            let [_, low, high, count] = question.data[..] else { panic!() };
            if count > self.most {
                return Response { completion: self.refusal, data: Vec::new() };
            }
            let unit = usize::from(self.area.access.unit());
            let start = usize::from(u16::from_le_bytes([low, high])) * unit;
            let count = count.min(self.returns);
            let mut data = vec![count];
            data.extend(&self.bytes[start..start + usize::from(count) * unit]);
            ok(data)
        }

        fn read(&mut self) -> Result<FruContents, CommandError> {
            run(|question| self.answer(question))
        }
    }

    fn ok(data: Vec<u8>) -> Response {
        Response { completion: Completion::OK, data }
    }

    fn run(mut answer: impl FnMut(&crate::Request) -> Response) -> Result<FruContents, CommandError> {
        let mut procedure = ReadFru::new(0);
        let mut last = None;
        for _ in 0..=MAX_REQUESTS + 1 {
            match procedure.advance(last.as_ref())? {
                Step::Ask(question) => last = Some(answer(&question)),
                Step::Done(contents) => return Ok(contents),
            }
        }
        panic!("it asks without end");
    }

    #[test]
    fn only_the_used_part_is_read() {
        let mut device = Device::new(4096);
        let contents = device.read().unwrap();
        assert_eq!(contents.cut_short, None);
        assert_eq!(contents.size, 4096);
        assert_eq!(contents.inventory().unwrap().problems, []);
        assert_eq!(device.asked, [[0, 0, 0, 32], [0, 32, 0, 32], [0, 64, 0, 32]]);
    }

    #[test]
    fn nothing_is_asked_for_behind_the_end() {
        let mut device = Device::new(96 + 3);
        assert_eq!(device.read().unwrap().inventory().unwrap().problems, []);
        let mut device = Device::new(80);
        let contents = device.read().unwrap();
        assert_eq!(device.asked.last().unwrap()[..], [0, 64, 0, 16]);
        assert_eq!(contents.bytes.len(), 80);
        assert_eq!(contents.inventory().unwrap().problems.len(), 2, "the area does not fit into the device");
    }

    #[test]
    fn refused_sizes_shrink() {
        for refusal in [0xca, 0xc7, 0xc8, 0xc9, 0xff] {
            let mut device = Device { most: 10, refusal: Completion(refusal), ..Device::new(256) };
            let contents = device.read().unwrap();
            assert_eq!(contents.inventory().unwrap().problems, []);
            assert_eq!(device.asked[..3], [[0, 0, 0, 32], [0, 0, 0, 16], [0, 0, 0, 8]]);
            assert!(device.asked[3..].iter().all(|question| question[3] == 8));
        }
    }

    #[test]
    fn a_device_that_refuses_everything_fails() {
        let refused = |completion| CommandError::Refused { command: ReadFruData::NAME, completion };
        let mut device = Device { most: 0, ..Device::new(256) };
        assert_eq!(device.read(), Err(refused(Completion::CANNOT_RETURN_LENGTH)));
        assert_eq!(device.asked.len(), 4);
        let mut device = Device { most: 0, refusal: Completion::NOT_PRESENT, ..Device::new(256) };
        assert_eq!(device.read(), Err(refused(Completion::NOT_PRESENT)));
        assert_eq!(device.asked.len(), 1);
    }

    #[test]
    fn fewer_bytes_than_asked_for_are_taken() {
        let mut device = Device { returns: 7, ..Device::new(256) };
        let contents = device.read().unwrap();
        assert_eq!(contents.inventory().unwrap().problems, []);
        assert_eq!(device.asked[1], [0, 7, 0, 32]);
    }

    #[test]
    fn words_are_counted_as_words() {
        let mut device = Device::new(257);
        device.area.access = FruAccess::Words;
        let contents = device.read().unwrap();
        assert_eq!(contents.inventory().unwrap().problems, []);
        assert_eq!(device.asked, [[0, 0, 0, 16], [0, 16, 0, 16], [0, 32, 0, 16]]);
    }

    #[test]
    fn what_was_read_is_kept_when_the_device_fails() {
        let mut device = Device::new(256);
        let mut requests = 0;
        let contents = run(|question| {
            requests += 1;
            if requests < 4 {
                device.answer(question)
            } else {
                Response { completion: Completion::NOT_PRESENT, data: Vec::new() }
            }
        })
        .unwrap();
        assert_eq!(contents.bytes.len(), 64);
        assert_eq!(
            contents.cut_short.as_ref().unwrap().to_string(),
            "Read FRU Data: there is no such sensor, record or data (completion code CBh)"
        );
        assert_eq!(contents.inventory().unwrap().problems.len(), 2);
    }

    #[test]
    fn a_busy_device_is_asked_again_but_not_for_ever() {
        let mut device = Device::new(256);
        let mut busy = 0;
        let contents = run(|question| {
            busy += 1;
            if busy % 2 == 0 {
                Response { completion: DEVICE_BUSY, data: Vec::new() }
            } else {
                device.answer(question)
            }
        });
        assert_eq!(contents.unwrap().inventory().unwrap().problems, []);
        let mut device = Device { most: 0, refusal: DEVICE_BUSY, ..Device::new(256) };
        device.read().unwrap_err();
        assert_eq!(device.asked.len(), 1 + usize::from(MAX_BUSY));
    }

    #[test]
    fn answers_without_data_or_with_too_many_end_it() {
        assert_eq!(Device { returns: 0, ..Device::new(256) }.read(), Err(no_progress()));
        let answers = [vec![0, 1, 0], vec![64; 65]];
        let mut answers = answers.into_iter().map(ok);
        assert!(matches!(run(|_| answers.next().unwrap()), Err(CommandError::Malformed { .. })));
    }

    #[test]
    fn a_list_of_records_without_end_stops_at_the_end_of_the_device() {
        let mut device = Device::new(u16::MAX);
        device.bytes = vec![0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0xfe];
        // An empty record, again and again.
        device.bytes.extend([0xc0, 0x02, 0x00, 0x00, 0x3e].repeat(13_200));
        let contents = device.read().unwrap();
        assert_eq!((contents.bytes.len(), contents.cut_short.as_ref()), (65535, None));
        assert!(contents.inventory().unwrap().problems.len() <= 1);
        device.returns = 1;
        let contents = device.read().unwrap();
        assert_eq!(contents.bytes.len(), MAX_REQUESTS.into());
        assert!(matches!(contents.cut_short, Some(CommandError::Endless { .. })));
    }

    proptest! {
        #[test]
        fn no_answers_do_harm(size: u16, words: bool, answers in prop::collection::vec((any::<u8>(), any::<Vec<u8>>()), 1..20)) {
            let mut answers = answers.into_iter().cycle();
            let mut procedure = ReadFru::new(0);
            let mut last = None;
            let area = ok(FruInventoryArea { size, access: if words { FruAccess::Words } else { FruAccess::Bytes } }.encode());
            for step in 0..100 {
                match procedure.advance(last.as_ref()) {
                    Ok(Step::Ask(_)) if step == 0 => last = Some(area.clone()),
                    Ok(Step::Ask(_)) => {
                        let (completion, mut data) = answers.next().unwrap();
                        let count = u8::try_from(data.len() / if words { 2 } else { 1 }).unwrap_or(u8::MAX);
                        data.insert(0, count);
                        last = Some(Response { completion: Completion(completion % 3), data });
                    }
                    Ok(Step::Done(contents)) => {
                        prop_assert!(contents.bytes.len() <= size.into());
                        drop(contents.inventory());
                        break;
                    }
                    Err(_) => break,
                }
            }
        }
    }
}
