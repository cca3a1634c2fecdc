//! Any bytes as the contents of a FRU device, and reading devices that answer as they like.
//!
//! The promises: an inventory that can be encoded decodes to the same; texts cannot control a terminal; reading ends
//! within its bound, and never brings more than the device claims to have.

use arbitrary::{Arbitrary, Unstructured};
use opendcre_ipmi::Request;
use opendcre_ipmi::fru::{FruAccess, FruInventory, FruInventoryArea, MultiRecord, ReadFru};

use crate::hostile::Hostility;
use crate::is_printable;

/// The pieces that a device is read in at most, and the question for its size.
const MAX_REQUESTS: usize = 4096 + 1;

/// Takes the bytes as an inventory and as a device.
pub fn fru(data: &[u8]) {
    if let Ok(inventory) = FruInventory::decode(data) {
        check(&inventory);
    }
    if let Ok(reading) = Reading::arbitrary_take_rest(Unstructured::new(data)) {
        reading.check();
    }
}

fn check(inventory: &FruInventory) {
    texts(inventory).for_each(|text| assert!(is_printable(text), "{text:?}"));
    inventory.records.iter().for_each(|record: &MultiRecord| {
        assert!(record.data.len() <= usize::from(u8::MAX));
        assert!(record.manufacturer().is_none() || record.type_name() == Some("OEM"));
    });
    inventory.problems.iter().for_each(|problem| assert!(!problem.to_string().is_empty()));
    // What has too long texts, or such of other alphabets, cannot be encoded.
    if let Ok(bytes) = inventory.encode() {
        let sound = FruInventory { problems: Vec::new(), ..inventory.clone() };
        assert_eq!(FruInventory::decode(&bytes), Ok(sound));
    }
}

fn texts(inventory: &FruInventory) -> impl Iterator<Item = &String> {
    let chassis = inventory.chassis.iter().flat_map(|chassis| {
        [&chassis.part_number, &chassis.serial_number].into_iter().chain(&chassis.custom)
    });
    let board = inventory.board.iter().flat_map(|board| {
        let texts = [&board.manufacturer, &board.product_name, &board.serial_number, &board.part_number];
        texts.into_iter().chain([&board.fru_file_id]).chain(&board.custom)
    });
    let product = inventory.product.iter().flat_map(|product| {
        let texts = [&product.manufacturer, &product.name, &product.part_number, &product.version];
        let more = [&product.serial_number, &product.asset_tag, &product.fru_file_id];
        texts.into_iter().chain(more).chain(&product.custom)
    });
    chassis.chain(board).chain(product)
}

#[derive(Debug, Arbitrary)]
struct Reading {
    size: u16,
    words: bool,
    hostility: Hostility,
    /// What the device holds again and again, up to its size.
    memory: Vec<u8>,
}

impl Reading {
    fn check(&self) {
        let read = self.hostility.drive(ReadFru::new(0), MAX_REQUESTS, |request| self.answer(request));
        if let Ok(contents) = read {
            assert!(contents.bytes.len() <= usize::from(contents.size), "{} bytes", contents.bytes.len());
            contents.inventory().iter().for_each(check);
        }
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        let access = if self.words { FruAccess::Words } else { FruAccess::Bytes };
        let [_, low, high, count] = *request.data.as_slice() else {
            return FruInventoryArea { size: self.size, access }.encode();
        };
        let unit = usize::from(access.unit());
        let start = usize::from(u16::from_le_bytes([low, high])) * unit;
        let bytes = self.memory.iter().cycle().skip(start % self.memory.len().max(1));
        std::iter::once(count).chain(bytes.copied().take(usize::from(count) * unit)).collect()
    }
}
