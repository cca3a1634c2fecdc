//! The asset tag and the name of the management controller: two texts that are read and written in parts (DCMI 1.5
//! §6.4).

use std::marker::PhantomData;

use thiserror::Error;

use super::{GET_ASSET_TAG, GET_CONTROLLER_ID, SET_ASSET_TAG, SET_CONTROLLER_ID, body, reader, request};
use crate::text::{latin_1, presentable};
use crate::{Command, CommandError, DecodeError, Procedure, Request, Response, Step};

/// How many bytes a part holds at most.
const PART: usize = 16;
/// Stands before an asset tag in UTF-8.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// A text that a BMC keeps.
pub trait TextField {
    /// The command that reads it.
    const GET: u8;
    /// Its name in the specification.
    const GET_NAME: &'static str;
    /// The command that writes it.
    const SET: u8;
    /// Its name in the specification.
    const SET_NAME: &'static str;
    /// How many bytes it holds at most.
    const MAXIMUM: u8;

    /// The text that a BMC's bytes mean.
    fn decode(bytes: &[u8]) -> String;

    /// The bytes of a text, of any length.
    ///
    /// # Errors
    /// When the field cannot hold one of its characters.
    fn encode(text: &str) -> Result<Vec<u8>, TextError>;
}

/// Why a text cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextError {
    /// It is too long.
    #[error("the text takes {length} bytes, and the BMC has room for {maximum}")]
    TooLong {
        /// How many bytes it takes.
        length: usize,
        /// How many there may be.
        maximum: u8,
    },
    /// It has characters that are not allowed.
    #[error("the text may only hold printable ASCII characters")]
    NotAscii,
}

/// The asset tag: 63 bytes, ASCII or with a byte order mark UTF-8. Bytes that are not UTF-8 are read as Latin-1.
#[derive(Debug, Clone, Copy)]
pub struct AssetTag;

impl TextField for AssetTag {
    const GET: u8 = GET_ASSET_TAG;
    const GET_NAME: &'static str = "Get Asset Tag";
    const SET: u8 = SET_ASSET_TAG;
    const SET_NAME: &'static str = "Set Asset Tag";
    const MAXIMUM: u8 = 63;

    fn decode(bytes: &[u8]) -> String {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => latin_1(bytes),
        };
        presentable(&text)
    }

    fn encode(text: &str) -> Result<Vec<u8>, TextError> {
        let mark = if text.is_ascii() { &[] } else { BYTE_ORDER_MARK };
        Ok([mark, text.as_bytes()].concat())
    }
}

/// The name of the management controller: 63 ASCII characters and a zero at their end.
#[derive(Debug, Clone, Copy)]
pub struct ControllerId;

impl TextField for ControllerId {
    const GET: u8 = GET_CONTROLLER_ID;
    const GET_NAME: &'static str = "Get Management Controller Identifier String";
    const SET: u8 = SET_CONTROLLER_ID;
    const SET_NAME: &'static str = "Set Management Controller Identifier String";
    const MAXIMUM: u8 = 64;

    fn decode(bytes: &[u8]) -> String {
        let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        presentable(&String::from_utf8_lossy(name))
    }

    fn encode(text: &str) -> Result<Vec<u8>, TextError> {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            Ok(text.bytes().chain([0]).collect())
        } else {
            Err(TextError::NotAscii)
        }
    }
}

/// Asks for a part of a text.
#[derive(Debug, Clone, Copy)]
pub struct GetText<F> {
    /// Where the part begins.
    pub offset: u8,
    /// How many bytes it has, at most 16.
    pub length: u8,
    field: PhantomData<F>,
}

impl<F> GetText<F> {
    /// Asks for the `length` bytes at `offset`.
    #[must_use]
    pub const fn new(offset: u8, length: u8) -> Self {
        Self { offset, length, field: PhantomData }
    }

    /// Reads the data of a request.
    ///
    /// # Errors
    /// When they are too short, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let [offset, length] = reader("a request for a text", data)?.array()?;
        Ok(Self::new(offset, length))
    }
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPart {
    /// How many bytes the whole text has.
    pub total: u8,
    /// The bytes of the part.
    pub bytes: Vec<u8>,
}

impl TextPart {
    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are too short, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = reader("a part of a text", data)?;
        Ok(Self { total: reader.u8()?, bytes: reader.rest().to_vec() })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        body(std::iter::once(self.total).chain(self.bytes.iter().copied()))
    }
}

impl<F: TextField> Command for GetText<F> {
    type Output = TextPart;

    const NAME: &'static str = F::GET_NAME;

    fn request(&self) -> Request {
        request(F::GET, &[self.offset, self.length])
    }

    fn parse(&self, data: &[u8]) -> Result<TextPart, DecodeError> {
        TextPart::decode(data)
    }
}

/// Writes a part of a text. The text ends where the part ends.
#[derive(Debug, Clone)]
pub struct SetText<F> {
    /// Where the part begins.
    pub offset: u8,
    /// Its bytes, at most 16.
    pub bytes: Vec<u8>,
    field: PhantomData<F>,
}

impl<F> SetText<F> {
    /// Writes `bytes` at `offset`.
    #[must_use]
    pub const fn new(offset: u8, bytes: Vec<u8>) -> Self {
        Self { offset, bytes, field: PhantomData }
    }

    /// Reads the data of a request.
    ///
    /// # Errors
    /// When they are too short, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = reader("a text to write", data)?;
        let [offset, length] = reader.array()?;
        Ok(Self::new(offset, reader.take(length.into())?.to_vec()))
    }
}

impl<F: TextField> Command for SetText<F> {
    /// How many bytes the whole text has now.
    type Output = u8;

    const NAME: &'static str = F::SET_NAME;

    fn request(&self) -> Request {
        let length = u8::try_from(self.bytes.len()).unwrap_or(u8::MAX);
        let mut data = vec![self.offset, length];
        data.extend(&self.bytes);
        request(F::SET, &data)
    }

    fn parse(&self, data: &[u8]) -> Result<u8, DecodeError> {
        reader("an answer to the writing of a text", data)?.u8()
    }
}

/// Reads a whole text, part by part.
#[derive(Debug, Clone)]
pub struct ReadText<F> {
    bytes: Vec<u8>,
    /// How many bytes were asked for last.
    asked: usize,
    field: PhantomData<F>,
}

/// Reads the asset tag.
pub type ReadAssetTag = ReadText<AssetTag>;
/// Reads the name of the management controller.
pub type ReadControllerId = ReadText<ControllerId>;

impl<F> ReadText<F> {
    /// Nothing has been read yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), asked: PART, field: PhantomData }
    }
}

impl<F> Default for ReadText<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: TextField> ReadText<F> {
    /// Asks for the part that follows what is there. All numbers are at most [`TextField::MAXIMUM`].
    fn command(&self) -> GetText<F> {
        let small = |number| u8::try_from(number).unwrap_or(F::MAXIMUM);
        GetText::new(small(self.bytes.len()), small(self.asked))
    }
}

impl<F: TextField> Procedure for ReadText<F> {
    type Output = String;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<String>, CommandError> {
        if let Some(response) = answer {
            let part = self.command().read(response)?;
            let missing = usize::from(part.total.min(F::MAXIMUM)).saturating_sub(self.bytes.len());
            let taken = part.bytes.len().min(self.asked).min(missing);
            self.bytes.extend(part.bytes.iter().take(taken));
            if taken == missing {
                return Ok(Step::Done(F::decode(&self.bytes)));
            }
            if taken == 0 {
                let problem = "it sends empty parts of a longer text";
                return Err(CommandError::Endless { command: F::GET_NAME, problem });
            }
            self.asked = (missing - taken).min(PART);
        }
        Ok(Step::Ask(self.command().request()))
    }
}

/// Writes a whole text, part by part.
#[derive(Debug, Clone)]
pub struct WriteText<F> {
    /// The parts that remain, last one first.
    parts: Vec<SetText<F>>,
}

/// Writes the asset tag.
pub type WriteAssetTag = WriteText<AssetTag>;
/// Writes the name of the management controller.
pub type WriteControllerId = WriteText<ControllerId>;

impl<F: TextField> WriteText<F> {
    /// Writes `text`.
    ///
    /// # Errors
    /// When it does not fit, or has characters that the field cannot hold.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let bytes = F::encode(text)?;
        if bytes.len() > F::MAXIMUM.into() {
            return Err(TextError::TooLong { length: bytes.len(), maximum: F::MAXIMUM });
        }
        let mut parts: Vec<SetText<F>> = (0_u8..)
            .step_by(PART)
            .zip(bytes.chunks(PART))
            .map(|(offset, part)| SetText::new(offset, part.to_vec()))
            .collect();
        if parts.is_empty() {
            parts.push(SetText::new(0, Vec::new()));
        }
        parts.reverse();
        Ok(Self { parts })
    }
}

impl<F: TextField> Procedure for WriteText<F> {
    type Output = ();

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<()>, CommandError> {
        if let Some(response) = answer
            && let Some(sent) = self.parts.pop()
        {
            sent.read(response)?;
        }
        Ok(self.parts.last().map_or(Step::Done(()), |part| Step::Ask(part.request())))
    }
}

#[cfg(test)]
mod tests;
