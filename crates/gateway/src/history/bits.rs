//! Bits in a row of bytes, the most significant first, and numbers of seven bits a byte. It knows nothing of what the
//! bits mean.

use super::chunk::ChunkError;

/// The most bits that are written or read at once.
pub(super) const MOST_BITS: u32 = 32;

/// Adds bits to bytes.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    bytes: &'a mut Vec<u8>,
    /// The last bits, of which the lowest `count` are not in the bytes yet; fewer than eight.
    rest: u64,
    count: u32,
}

/// The last bits, which do not make a byte yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rest {
    bits: u8,
    count: u8,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, rest: 0, count: 0 }
    }

    /// Goes on behind the bits with which [`Self::pause`] stopped.
    pub(super) fn resume(bytes: &'a mut Vec<u8>, Rest { bits, count }: Rest) -> Self {
        Self { bytes, rest: bits.into(), count: count.into() }
    }

    /// What is not in the bytes yet.
    pub(super) fn pause(self) -> Rest {
        let ([bits, ..], [count, ..]) =
            ((self.rest & ((1 << self.count) - 1)).to_le_bytes(), self.count.to_le_bytes());
        Rest { bits, count }
    }

    /// Adds the lowest `width` bits of a value that has no others, at most [`MOST_BITS`].
    pub(super) fn write(&mut self, value: u64, width: u32) {
        self.rest = (self.rest << width) | value;
        self.count += width;
        while self.count >= 8 {
            self.count -= 8;
            let [byte, ..] = (self.rest >> self.count).to_le_bytes();
            self.bytes.push(byte);
        }
    }

    /// Fills the last byte with zeros.
    pub(super) fn finish(mut self) {
        if self.count > 0 {
            self.write(0, 8 - self.count);
        }
    }
}

/// Bytes that are read from the front.
#[derive(Debug)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, ChunkError> {
        let (byte, rest) = self.0.split_first().ok_or(ChunkError("it ends too early"))?;
        self.0 = rest;
        Ok(*byte)
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ChunkError> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(ChunkError("it ends too early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A number of seven bits a byte, the lowest first.
    fn number(&mut self) -> Result<u64, ChunkError> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if (part << shift) >> shift != part {
                break;
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(ChunkError("a number in it is too large"))
    }

    /// How many of something there are, at most so many.
    pub(super) fn count(&mut self, most: usize) -> Result<usize, ChunkError> {
        let count = usize::try_from(self.number()?).ok().filter(|count| *count <= most);
        count.ok_or(ChunkError("it has too many points"))
    }

    /// A number of either sign.
    pub(super) fn signed(&mut self) -> Result<i64, ChunkError> {
        self.number().map(from_zigzag)
    }

    /// Bits, up to the end of a byte.
    pub(super) const fn bits(&mut self) -> BitReader<'a, '_> {
        BitReader { input: self, position: 0 }
    }
}

/// Takes bits from the front of bytes.
#[derive(Debug)]
pub(super) struct BitReader<'a, 'i> {
    input: &'i mut Input<'a>,
    /// In bits.
    position: usize,
}

impl BitReader<'_, '_> {
    /// The next bits at the top, at least 57 of them; zeros follow the end.
    fn peek(&self) -> u64 {
        let rest = self.input.0.get(self.position / 8..).unwrap_or_default();
        let word = match rest.first_chunk() {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => rest.iter().chain(&[0; 8]).take(8).fold(0, |word, byte| (word << 8) | u64::from(*byte)),
        };
        word << (self.position % 8)
    }

    fn skip(&mut self, width: u32) -> Result<(), ChunkError> {
        self.position += width as usize;
        if self.position > self.input.0.len() * 8 { Err(ChunkError("it ends too early")) } else { Ok(()) }
    }

    /// So many bits, at most [`MOST_BITS`].
    pub(super) fn read(&mut self, width: u32) -> Result<u64, ChunkError> {
        let bits = self.peek().checked_shr(u64::BITS - width).unwrap_or(0);
        self.skip(width).map(|()| bits)
    }

    /// How many ones are next, at most so many. The zero after them is taken, too; there is none after the most.
    pub(super) fn ones(&mut self, most: u32) -> Result<u32, ChunkError> {
        let ones = self.peek().leading_ones().min(most);
        self.skip((ones + 1).min(most)).map(|()| ones)
    }

    /// Goes on at the next whole byte.
    pub(super) fn finish(self) -> Result<(), ChunkError> {
        self.input.bytes(self.position.div_ceil(8)).map(drop)
    }
}

/// Adds a number of seven bits a byte, the lowest first.
fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        bytes.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    bytes.push(low);
}

/// Adds how many of something there are.
pub(super) fn put_count(bytes: &mut Vec<u8>, count: usize) {
    put_number(bytes, count as u64);
}

/// Adds a number of either sign; it is short if it is near to zero.
pub(super) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_number(bytes, to_zigzag(number));
}

/// 0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 …
pub(super) const fn to_zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> (i64::BITS - 1))).cast_unsigned()
}

pub(super) const fn from_zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}
