//! Making the bytes of a FRU device, for BMCs that are emulated. Writes one kind of text only: that of the language.

use thiserror::Error;

use super::inventory::{BoardInfo, ChassisInfo, EPOCH, FruInventory, ProductInfo};
use super::layout::{BLOCK, HEADER_LENGTH, RecordHeader};
use super::record::MultiRecord;
use super::text::{self, END_OF_FIELDS, Language};
use crate::wire::checksum;

const FORMAT_VERSION: u8 = 1;

/// Why an inventory cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FruEncodeError {
    /// A text does not fit into a field.
    #[error("the text {text:?} needs more than the 63 bytes that a FRU field has")]
    TextTooLong {
        /// The text.
        text: String,
    },
    /// An English text has characters beyond Latin 1, or control characters.
    #[error("the text {text:?} has characters that a FRU field cannot hold, use Latin 1")]
    Character {
        /// The text.
        text: String,
    },
    /// A manufacturing date lies outside of 1996 to 2027.
    #[error(
        "the manufacturing date {seconds} lies outside of the 16777215 minutes after 1996-01-01 00:00 UTC"
    )]
    Date {
        /// The date as it was given, in seconds since 1970.
        seconds: u32,
    },
    /// An area, a record, or all of it is too long.
    #[error("a FRU area, record or device would become too long, use fewer or shorter fields")]
    TooLong,
}

impl FruInventory {
    /// The bytes of a FRU device with these contents, without unused space behind them. Problems are not stored.
    ///
    /// A text of one character gets a blank behind it, because its encoding is used up for the end of the fields.
    ///
    /// # Errors
    /// When a text, the manufacturing date or all of it does not fit.
    pub fn encode(&self) -> Result<Vec<u8>, FruEncodeError> {
        let chassis = self.chassis.as_ref().map(ChassisInfo::encode).transpose()?;
        let board = self.board.as_ref().map(BoardInfo::encode).transpose()?;
        let product = self.product.as_ref().map(ProductInfo::encode).transpose()?;
        let records = encode_records(&self.records)?;

        let mut areas = Vec::new();
        let mut place = |area: Option<Vec<u8>>| -> Result<u8, FruEncodeError> {
            let Some(area) = area else { return Ok(0) };
            let offset = blocks(HEADER_LENGTH + areas.len())?;
            areas.extend(area);
            Ok(offset)
        };
        let header = [FORMAT_VERSION, 0, place(chassis)?, place(board)?, place(product)?, place(records)?, 0];
        let mut bytes = header.to_vec();
        bytes.push(checksum(&header));
        bytes.append(&mut areas);
        Ok(bytes)
    }
}

impl ChassisInfo {
    fn encode(&self) -> Result<Vec<u8>, FruEncodeError> {
        let fields = [&self.part_number, &self.serial_number].map(|text| (text, Language::ENGLISH));
        area(&[self.chassis_type.0], &fields, &self.custom, Language::ENGLISH)
    }
}

impl BoardInfo {
    fn encode(&self) -> Result<Vec<u8>, FruEncodeError> {
        let [low, middle, high] = minutes(self.manufactured)?;
        let fields = [
            (&self.manufacturer, self.language),
            (&self.product_name, self.language),
            (&self.serial_number, Language::ENGLISH),
            (&self.part_number, Language::ENGLISH),
            (&self.fru_file_id, Language::ENGLISH),
        ];
        area(&[self.language.0, low, middle, high], &fields, &self.custom, self.language)
    }
}

impl ProductInfo {
    fn encode(&self) -> Result<Vec<u8>, FruEncodeError> {
        let fields = [
            (&self.manufacturer, self.language),
            (&self.name, self.language),
            (&self.part_number, self.language),
            (&self.version, self.language),
            (&self.serial_number, Language::ENGLISH),
            (&self.asset_tag, self.language),
            (&self.fru_file_id, Language::ENGLISH),
        ];
        area(&[self.language.0], &fields, &self.custom, self.language)
    }
}

fn area(
    head: &[u8],
    fields: &[(&String, Language)],
    custom: &[String],
    language: Language,
) -> Result<Vec<u8>, FruEncodeError> {
    let mut body = head.to_vec();
    let custom = custom.iter().filter(|text| !text.is_empty()).map(|text| (text, language));
    for (text, language) in fields.iter().copied().chain(custom) {
        body.extend(text::encode(text, language)?);
    }
    body.push(END_OF_FIELDS);
    // Version and length stand before the body, zeros and the checksum behind it.
    let length = (body.len() + 3).next_multiple_of(BLOCK);
    let mut bytes = vec![FORMAT_VERSION, blocks(length)?];
    bytes.append(&mut body);
    bytes.resize(length - 1, 0);
    bytes.push(checksum(&bytes));
    Ok(bytes)
}

/// The records one after the other; nothing when there are none.
fn encode_records(records: &[MultiRecord]) -> Result<Option<Vec<u8>>, FruEncodeError> {
    let mut bytes = Vec::new();
    for (behind, record) in (0..records.len()).rev().zip(records) {
        let header = RecordHeader {
            type_id: record.type_id,
            is_last: behind == 0,
            version: record.version,
            length: u8::try_from(record.data.len()).map_err(|_| FruEncodeError::TooLong)?,
            body_checksum: checksum(&record.data),
        };
        bytes.extend(header.encode());
        bytes.extend(&record.data);
    }
    Ok((!bytes.is_empty()).then_some(bytes))
}

fn blocks(bytes: usize) -> Result<u8, FruEncodeError> {
    u8::try_from(bytes / BLOCK).map_err(|_| FruEncodeError::TooLong)
}

/// Minutes since 1996; zero stands for an unknown date.
fn minutes(manufactured: Option<u32>) -> Result<[u8; 3], FruEncodeError> {
    let Some(seconds) = manufactured else { return Ok([0; 3]) };
    let minutes = seconds.checked_sub(EPOCH).map(|seconds| seconds / 60).filter(|minutes| *minutes > 0);
    match minutes.map(u32::to_le_bytes) {
        Some([low, middle, high, 0]) => Ok([low, middle, high]),
        _ => Err(FruEncodeError::Date { seconds }),
    }
}
