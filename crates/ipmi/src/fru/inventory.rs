//! What the bytes of a FRU device say. Areas are independent: a damaged one is read as far as possible, reported, and
//! does not touch the others.

use std::fmt;

use thiserror::Error;

use super::chassis_type::ChassisType;
use super::layout::{BLOCK, Layout, is_known_version};
use super::record::{self, MultiRecord};
use super::text::{self, END_OF_FIELDS, Language};
use crate::DecodeError;
use crate::wire::{Reader, checksum};

/// Unix time of 1996-01-01 00:00 UTC, from which manufacturing dates count (FRU §11, table 11-1).
pub(super) const EPOCH: u32 = 820_454_400;

/// The contents of a FRU device.
///
/// Texts are without padding and control characters; a field that is absent is an empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FruInventory {
    /// The chassis, if it is described.
    pub chassis: Option<ChassisInfo>,
    /// The board, if it is described.
    pub board: Option<BoardInfo>,
    /// The product, if it is described.
    pub product: Option<ProductInfo>,
    /// Everything else.
    pub records: Vec<MultiRecord>,
    /// What is wrong with it. Whatever could be read is there nevertheless, but is as doubtful as the part it is in.
    pub problems: Vec<FruProblem>,
}

/// The chassis info area (FRU §10, table 10-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChassisInfo {
    /// Its kind.
    pub chassis_type: ChassisType,
    /// Its part number.
    pub part_number: String,
    /// Its serial number.
    pub serial_number: String,
    /// Further fields of the manufacturer that are not empty.
    pub custom: Vec<String>,
}

/// The board info area (FRU §11, table 11-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardInfo {
    /// The language of the texts.
    pub language: Language,
    /// When it was made, in seconds since 1970-01-01 UTC, to the minute.
    pub manufactured: Option<u32>,
    /// Who made it.
    pub manufacturer: String,
    /// What it is called.
    pub product_name: String,
    /// Its serial number.
    pub serial_number: String,
    /// Its part number.
    pub part_number: String,
    /// The file these data were made from.
    pub fru_file_id: String,
    /// Further fields of the manufacturer that are not empty.
    pub custom: Vec<String>,
}

/// The product info area (FRU §12, table 12-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductInfo {
    /// The language of the texts.
    pub language: Language,
    /// Who made it.
    pub manufacturer: String,
    /// What it is called.
    pub name: String,
    /// Its part or model number.
    pub part_number: String,
    /// Its version.
    pub version: String,
    /// Its serial number.
    pub serial_number: String,
    /// What its owner has marked it with.
    pub asset_tag: String,
    /// The file these data were made from.
    pub fru_file_id: String,
    /// Further fields of the manufacturer that are not empty.
    pub custom: Vec<String>,
}

/// A part of a FRU device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FruPart {
    /// The header in front of everything.
    Header,
    /// The chassis info area.
    Chassis,
    /// The board info area.
    Board,
    /// The product info area.
    Product,
    /// One of the multi-records, counted from zero.
    Record(usize),
}

impl fmt::Display for FruPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the FRU header"),
            Self::Chassis => f.write_str("the chassis area"),
            Self::Board => f.write_str("the board area"),
            Self::Product => f.write_str("the product area"),
            Self::Record(index) => write!(f, "multi-record {index}"),
        }
    }
}

/// What is wrong in the contents of a FRU device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FruProblem {
    /// A checksum does not match. The part was read nevertheless; a multi-record whose header is damaged ends the list.
    #[error("{part} has a wrong checksum")]
    Checksum {
        /// The part.
        part: FruPart,
    },
    /// A part lies behind the end of what was read, wholly or partly. An area was read as far as it is there.
    #[error("{part} reaches beyond the {length} bytes that could be read")]
    BeyondEnd {
        /// The part.
        part: FruPart,
        /// All bytes that were there.
        length: usize,
    },
    /// An area says that it has no bytes, and was not read.
    #[error("{part} gives its length as zero")]
    Empty {
        /// The part.
        part: FruPart,
    },
    /// An area has a version that did not exist when this was written, and was not read.
    #[error("{part} has format version {version:#04x}, which is not known")]
    Version {
        /// The part.
        part: FruPart,
        /// Its version.
        version: u8,
    },
    /// A field is longer than the rest of its area, and was left out.
    #[error("{part} ends within one of its fields")]
    Field {
        /// The part.
        part: FruPart,
    },
    /// The mark behind the last field is missing.
    #[error("{part} has no end mark behind its fields")]
    NoEndMark {
        /// The part.
        part: FruPart,
    },
}

impl FruInventory {
    /// Reads the bytes of a FRU device, from its beginning; what lies behind the used part may be missing.
    ///
    /// # Errors
    /// When there is no header, or one of an unknown format, as in a device that was never written. Everything else is
    /// told by [`FruInventory::problems`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let layout = Layout::decode(bytes)?;
        let mut problems = Vec::new();
        if !layout.is_sound {
            problems.push(FruProblem::Checksum { part: FruPart::Header });
        }
        let mut area = |part, start: Option<usize>| Area::open(part, bytes, start?, &mut problems);
        let [chassis, board, product] = [
            area(FruPart::Chassis, layout.chassis),
            area(FruPart::Board, layout.board),
            area(FruPart::Product, layout.product),
        ];
        Ok(Self {
            chassis: chassis.and_then(|area| ChassisInfo::decode(area, &mut problems)),
            board: board.and_then(|area| BoardInfo::decode(area, &mut problems)),
            product: product.and_then(|area| ProductInfo::decode(area, &mut problems)),
            records: layout
                .records
                .map(|start| record::decode_all(bytes, start, &mut problems))
                .unwrap_or_default(),
            problems,
        })
    }
}

impl ChassisInfo {
    fn decode(area: Area<'_>, problems: &mut Vec<FruProblem>) -> Option<Self> {
        let mut fields = Fields::after(area, problems);
        let [chassis_type] = fields.head()?;
        Some(Self {
            chassis_type: ChassisType(chassis_type),
            part_number: fields.text(Language::ENGLISH),
            serial_number: fields.text(Language::ENGLISH),
            custom: fields.custom(Language::ENGLISH),
        })
    }
}

impl BoardInfo {
    fn decode(area: Area<'_>, problems: &mut Vec<FruProblem>) -> Option<Self> {
        let mut fields = Fields::after(area, problems);
        let [language, low, middle, high] = fields.head()?;
        let language = Language(language);
        let minutes = u32::from_le_bytes([low, middle, high, 0]);
        Some(Self {
            language,
            manufactured: (minutes != 0).then_some(EPOCH + minutes * 60),
            manufacturer: fields.text(language),
            product_name: fields.text(language),
            serial_number: fields.text(Language::ENGLISH),
            part_number: fields.text(Language::ENGLISH),
            fru_file_id: fields.text(Language::ENGLISH),
            custom: fields.custom(language),
        })
    }
}

impl ProductInfo {
    fn decode(area: Area<'_>, problems: &mut Vec<FruProblem>) -> Option<Self> {
        let mut fields = Fields::after(area, problems);
        let [language] = fields.head()?;
        let language = Language(language);
        Some(Self {
            language,
            manufacturer: fields.text(language),
            name: fields.text(language),
            part_number: fields.text(language),
            version: fields.text(language),
            serial_number: fields.text(Language::ENGLISH),
            asset_tag: fields.text(language),
            fru_file_id: fields.text(Language::ENGLISH),
            custom: fields.custom(language),
        })
    }
}

/// One info area without version, length and checksum.
#[derive(Clone, Copy)]
struct Area<'a> {
    part: FruPart,
    body: &'a [u8],
}

impl<'a> Area<'a> {
    fn open(part: FruPart, bytes: &'a [u8], start: usize, problems: &mut Vec<FruProblem>) -> Option<Self> {
        let Some(rest @ [version, blocks, ..]) = bytes.get(start..) else {
            problems.push(FruProblem::BeyondEnd { part, length: bytes.len() });
            return None;
        };
        if !is_known_version(*version) {
            problems.push(FruProblem::Version { part, version: *version });
            return None;
        }
        if *blocks == 0 {
            problems.push(FruProblem::Empty { part });
            return None;
        }
        let body = match rest.split_at_checked(usize::from(*blocks) * BLOCK) {
            Some((area, _)) => {
                if checksum(area) != 0 {
                    problems.push(FruProblem::Checksum { part });
                }
                area.get(2..area.len() - 1)
            }
            None => {
                problems.push(FruProblem::BeyondEnd { part, length: bytes.len() });
                rest.get(2..)
            }
        };
        body.map(|body| Self { part, body })
    }
}

/// The text fields of an area, one after the other.
struct Fields<'a, 'p> {
    part: FruPart,
    reader: Reader<'a>,
    ended: bool,
    problems: &'p mut Vec<FruProblem>,
}

impl<'a, 'p> Fields<'a, 'p> {
    fn after(area: Area<'a>, problems: &'p mut Vec<FruProblem>) -> Self {
        Self { part: area.part, reader: Reader::new("a FRU area", area.body), ended: false, problems }
    }

    /// What stands in front of the first field.
    fn head<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.reader.array().inspect_err(|_| self.problems.push(FruProblem::Field { part: self.part })).ok()
    }

    /// The next field; nothing behind the last one.
    fn next(&mut self, language: Language) -> Option<String> {
        if self.ended {
            return None;
        }
        let Ok(type_length) = self.reader.u8() else {
            return self.end_with(FruProblem::NoEndMark { part: self.part });
        };
        if type_length == END_OF_FIELDS {
            self.ended = true;
            return None;
        }
        match self.reader.take(text::length(type_length)) {
            Ok(bytes) => Some(text::decode(type_length, bytes, language)),
            Err(_) => self.end_with(FruProblem::Field { part: self.part }),
        }
    }

    fn end_with(&mut self, problem: FruProblem) -> Option<String> {
        self.ended = true;
        self.problems.push(problem);
        None
    }

    /// A field that the specification names; areas may leave those at the end out.
    fn text(&mut self, language: Language) -> String {
        self.next(language).unwrap_or_default()
    }

    /// All fields that are left.
    fn custom(&mut self, language: Language) -> Vec<String> {
        std::iter::from_fn(|| self.next(language)).filter(|text| !text.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All kinds of text in all areas. ipmitool 1.8.19 and ipmi-fru 1.6.10 print from these bytes, by way of ipmi_sim,
    /// what the first test expects, with two differences: ipmitool shows neither the file ids nor the multi-records,
    /// and ipmi-fru knows no BCD plus beyond digits.
    const EVERYTHING: &[u8] = &[
        0x01, 0x00, 0x01, 0x06, 0x0e, 0x13, 0x00, 0xd7, 0x01, 0x05, 0x17, 0x89, 0x23, 0x1a, 0xce, 0x73, 0x3a,
        0x37, 0x96, 0x98, 0xd2, 0x44, 0x12, 0x34, 0xb5, 0x67, 0xce, 0x63, 0x75, 0x73, 0x74, 0x6f, 0x6d, 0x20,
        0x63, 0x68, 0x61, 0x73, 0x73, 0x69, 0x73, 0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x8d, 0x01, 0x08, 0x19,
        0x40, 0x5d, 0xc6, 0xca, 0x43, 0x61, 0x66, 0xe9, 0x20, 0x57, 0x6f, 0x72, 0x6b, 0x73, 0x86, 0xe2, 0x1b,
        0xca, 0x24, 0x70, 0x01, 0xc9, 0x53, 0x4e, 0x2d, 0x30, 0x30, 0x30, 0x31, 0x20, 0x20, 0x42, 0x12, 0xc4,
        0x03, 0x00, 0xff, 0x1b, 0xc6, 0x65, 0x78, 0x74, 0x72, 0x61, 0x31, 0xc6, 0x65, 0x78, 0x74, 0x72, 0x61,
        0x32, 0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xe1, 0x01, 0x05, 0x00, 0xc5, 0x4d, 0x61, 0x6b,
        0x65, 0x72, 0xc4, 0x4e, 0x61, 0x6d, 0x65, 0xc2, 0x50, 0x4e, 0xc2, 0x76, 0x32, 0xc3, 0x53, 0x4e, 0x39,
        0xc3, 0x74, 0x61, 0x67, 0xc5, 0x66, 0x2e, 0x66, 0x72, 0x75, 0xc2, 0x78, 0x31, 0xc1, 0x00, 0xc8, 0xc2,
        0x02, 0x08, 0x48, 0xec, 0xa2, 0x02, 0x00, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x03, 0x82, 0x0b, 0xb6, 0xba,
        0x01, 0x68, 0x74, 0x74, 0x70, 0x3a, 0x2f, 0x2f, 0x61, 0x2e, 0x62,
    ];
    const BOARD_START: usize = 0x30;
    const RECORDS_START: usize = 0x98;

    fn everything() -> FruInventory {
        FruInventory {
            chassis: Some(ChassisInfo {
                chassis_type: ChassisType::RACK_MOUNT,
                part_number: "CHASSIS-6BIT".into(),
                serial_number: "1234-567".into(),
                custom: vec!["custom chassis".into()],
            }),
            board: Some(BoardInfo {
                language: Language(25),
                manufactured: Some(1_600_454_400), // 2020-09-18 18:40:00 UTC
                manufacturer: "Café Works".into(),
                product_name: "BOARD 7".into(),
                serial_number: "SN-0001".into(),
                part_number: "12.4".into(),
                fru_file_id: "00ff1b".into(),
                custom: vec!["extra1".into(), "extra2".into()],
            }),
            product: Some(ProductInfo {
                language: Language::ENGLISH,
                manufacturer: "Maker".into(),
                name: "Name".into(),
                part_number: "PN".into(),
                version: "v2".into(),
                serial_number: "SN9".into(),
                asset_tag: "tag".into(),
                fru_file_id: "f.fru".into(),
                custom: vec!["x1".into()],
            }),
            records: vec![
                MultiRecord { type_id: 0xc2, version: 2, data: b"\xa2\x02\x00hello".to_vec() },
                MultiRecord { type_id: 0x03, version: 2, data: b"\x01http://a.b".to_vec() },
            ],
            problems: Vec::new(),
        }
    }

    #[test]
    fn all_encodings_are_read() {
        let inventory = FruInventory::decode(EVERYTHING).unwrap();
        assert_eq!(inventory, everything());
        assert_eq!(inventory.chassis.unwrap().chassis_type.to_string(), "Rack Mount Chassis");
        assert_eq!(inventory.records[0].manufacturer(), Some(674), "Dell");
        assert_eq!(inventory.records[1].manufacturer(), None);
        assert_eq!(inventory.records[1].type_name(), Some("management access"));
    }

    #[test]
    fn a_damaged_area_is_reported_and_costs_nothing_else() {
        let mut bytes = EVERYTHING.to_vec();
        bytes[BOARD_START + 7] ^= 0x20;
        let inventory = FruInventory::decode(&bytes).unwrap();
        assert_eq!(inventory.problems, [FruProblem::Checksum { part: FruPart::Board }]);
        assert_eq!(inventory.problems[0].to_string(), "the board area has a wrong checksum");
        assert_eq!(inventory.product, everything().product);
        assert_eq!(inventory.board.unwrap().manufacturer, "café Works");
    }

    #[test]
    fn a_wrong_checksum_in_the_header_is_reported() {
        let mut bytes = EVERYTHING.to_vec();
        bytes[7] ^= 1;
        let inventory = FruInventory::decode(&bytes).unwrap();
        assert_eq!(inventory.problems, [FruProblem::Checksum { part: FruPart::Header }]);
        assert_eq!(FruInventory { problems: Vec::new(), ..inventory }, everything());
    }

    #[test]
    fn what_lies_beyond_the_end_is_reported() {
        let inventory = FruInventory::decode(&EVERYTHING[..BOARD_START + 8]).unwrap();
        let beyond = |part| FruProblem::BeyondEnd { part, length: BOARD_START + 8 };
        assert_eq!(
            inventory.problems,
            [
                beyond(FruPart::Board),
                beyond(FruPart::Product),
                FruProblem::Field { part: FruPart::Board },
                beyond(FruPart::Record(0)),
            ]
        );
        assert_eq!(inventory.chassis, everything().chassis);
        assert_eq!(inventory.board.unwrap().manufactured, Some(1_600_454_400));
        assert_eq!(inventory.product, None);
    }

    #[test]
    fn records_with_wrong_checksums_are_kept_unless_their_length_is_in_doubt() {
        let mut bytes = EVERYTHING.to_vec();
        bytes[RECORDS_START + 8] ^= 1;
        let inventory = FruInventory::decode(&bytes).unwrap();
        assert_eq!(inventory.problems, [FruProblem::Checksum { part: FruPart::Record(0) }]);
        assert_eq!(inventory.records.len(), 2);
        bytes[RECORDS_START + 2] ^= 1;
        let inventory = FruInventory::decode(&bytes).unwrap();
        assert_eq!(inventory.problems, [FruProblem::Checksum { part: FruPart::Record(0) }]);
        assert_eq!(inventory.records, []);
    }

    #[test]
    fn areas_without_length_end_mark_or_known_version_are_reported() {
        let area = |bytes: [u8; 8]| {
            let mut all = vec![0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0xfe];
            all.extend(bytes);
            FruInventory::decode(&all).unwrap()
        };
        let part = FruPart::Product;
        assert_eq!(area([1, 0, 0, 0, 0, 0, 0, 0xff]).problems, [FruProblem::Empty { part }]);
        assert_eq!(area([2, 1, 0, 0, 0, 0, 0, 0xfd]).problems, [FruProblem::Version { part, version: 2 }]);
        let unended = area([1, 1, 0, 0xc3, b'a', b'b', b'c', 0x15]);
        assert_eq!(unended.problems, [FruProblem::NoEndMark { part }]);
        assert_eq!(unended.product.unwrap().manufacturer, "abc");
        let too_long = area([1, 1, 0, 0xc4, b'a', b'b', b'c', 0x14]);
        assert_eq!(too_long.problems, [FruProblem::Field { part }]);
        assert_eq!(too_long.product.unwrap().manufacturer, "");
    }

    /// Serial and part numbers and file ids are English in every language. OpenIPMI's shell reads the same from these
    /// bytes, and shows texts in UTF-16 as bytes.
    #[test]
    fn texts_follow_the_language_but_numbers_do_not() {
        let bytes = [
            0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xfe, 0x01, 0x07, 0x1d, 0x40, 0x5d, 0xc6, 0xc6, 0x4d,
            0x00, 0x66, 0x00, 0x67, 0x00, 0xc8, 0x50, 0x00, 0x72, 0x00, 0x6f, 0x00, 0x64, 0x00, 0xc8, 0x53,
            0x45, 0x52, 0x49, 0x41, 0x4c, 0x31, 0x32, 0xc8, 0x50, 0x41, 0x52, 0x54, 0x33, 0x34, 0x35, 0x36,
            0xc8, 0x46, 0x49, 0x4c, 0x45, 0x2e, 0x49, 0x44, 0x58, 0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc3,
        ];
        let inventory = FruInventory::decode(&bytes).unwrap();
        assert_eq!(inventory.problems, []);
        let board = inventory.board.unwrap();
        assert_eq!((board.language, board.language.is_english()), (Language(29), false));
        assert_eq!((&board.manufacturer[..], &board.product_name[..]), ("Mfg", "Prod"));
        assert_eq!((&board.serial_number[..], &board.part_number[..]), ("SERIAL12", "PART3456"));
        assert_eq!(board.fru_file_id, "FILE.IDX");
    }

    #[test]
    fn an_unknown_date_is_no_date() {
        let bytes = [
            [0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xfe],
            [0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xc1, 0x3d],
        ]
        .concat();
        let inventory = FruInventory::decode(&bytes).unwrap();
        assert_eq!(inventory.problems, []);
        assert_eq!(inventory.board.unwrap().manufactured, None);
    }

    #[test]
    fn a_memory_that_was_never_written_is_an_error() {
        for blank in [[0x00; 256], [0xff; 256]] {
            FruInventory::decode(&blank).unwrap_err();
        }
        FruInventory::decode(&EVERYTHING[..7]).unwrap_err();
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let inventory = everything();
        let bytes = inventory.encode().unwrap();
        assert_eq!(FruInventory::decode(&bytes), Ok(inventory));
        let empty = FruInventory::default();
        assert_eq!(empty.encode(), Ok(vec![1, 0, 0, 0, 0, 0, 0, 0xff]));
        assert_eq!(FruInventory::decode(&empty.encode().unwrap()), Ok(empty));
    }

    prop_compose! {
        fn text()(text in "([!-~ ]{0,30}[!-~])?") -> String { text }
    }

    prop_compose! {
        fn board()(
            language in prop::sample::select(vec![0_u8, 25, 29, 66]),
            minutes in prop::option::of(1_u32..1 << 24),
            [manufacturer, product_name, serial_number, part_number, fru_file_id] in prop::array::uniform5(text()),
            custom in prop::collection::vec(text(), 0..4),
        ) -> BoardInfo {
            BoardInfo {
                language: Language(language),
                manufactured: minutes.map(|minutes| EPOCH + minutes * 60),
                manufacturer,
                product_name,
                serial_number,
                part_number,
                fru_file_id,
                custom: custom.into_iter().filter(|text| !text.is_empty()).collect(),
            }
        }
    }

    prop_compose! {
        fn record()(type_id: u8, version in 0_u8..16, data in prop::collection::vec(any::<u8>(), 0..40)) -> MultiRecord {
            MultiRecord { type_id, version, data }
        }
    }

    proptest! {
        #[test]
        fn boards_and_records_come_back(
            board in prop::option::of(board()),
            records in prop::collection::vec(record(), 0..4),
        ) {
            let inventory = FruInventory { board, records, ..FruInventory::default() };
            prop_assert_eq!(FruInventory::decode(&inventory.encode().unwrap()), Ok(inventory));
        }

        #[test]
        fn no_bytes_do_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..300), with_version: bool) {
            if let (true, Some(version)) = (with_version, bytes.first_mut()) {
                *version = 1;
            }
            if let Ok(inventory) = FruInventory::decode(&bytes) {
                prop_assert!(inventory.problems.len() <= 10 + bytes.len());
            }
        }

        #[test]
        fn every_damage_is_noticed_or_costs_only_padding(position in 0..EVERYTHING.len(), bit in 0_u8..8) {
            let mut bytes = EVERYTHING.to_vec();
            bytes[position] ^= 1 << bit;
            let read = FruInventory::decode(&bytes);
            prop_assert!(read.is_err() || read.is_ok_and(|inventory| !inventory.problems.is_empty()));
        }
    }
}
