//! The inventory of an emulated machine: the bytes of its one FRU device.

use opendcre_ipmi::fru::{
    BoardInfo, ChassisInfo, ChassisType, FruInventory, Language, MultiRecord, ProductInfo,
};

use super::config::{ConfigError, FruConfig};

/// A rack mount chassis (SMBIOS chassis types, to which FRU §10 refers).
const RACK_MOUNT: ChassisType = ChassisType(0x17);
/// 2026-01-01 00:00 UTC.
const MANUFACTURED: u32 = 1_767_225_600;
/// A record of the manufacturer (FRU §16.1): the enterprise number 32473 and a byte.
const OEM_RECORD: u8 = 0xc0;
const OEM_DATA: [u8; 4] = [0xd9, 0x7e, 0x00, 0x01];

/// The inventory of the machine with this index.
pub(super) fn inventory(config: &FruConfig, index: u32) -> Result<Vec<u8>, ConfigError> {
    let FruConfig { manufacturer, product, board, part_number, serial_prefix, asset_tag } = config;
    let serial = |part: &str| format!("{serial_prefix}{part}{index:06}");
    let inventory = FruInventory {
        chassis: Some(ChassisInfo {
            chassis_type: RACK_MOUNT,
            part_number: part_number.clone(),
            serial_number: serial("C"),
            custom: Vec::new(),
        }),
        board: Some(BoardInfo {
            language: Language::ENGLISH,
            manufactured: Some(MANUFACTURED),
            manufacturer: manufacturer.clone(),
            product_name: board.clone(),
            serial_number: serial("B"),
            part_number: part_number.clone(),
            fru_file_id: String::new(),
            custom: Vec::new(),
        }),
        product: Some(ProductInfo {
            language: Language::ENGLISH,
            manufacturer: manufacturer.clone(),
            name: product.clone(),
            part_number: part_number.clone(),
            version: "1.0".into(),
            serial_number: serial(""),
            asset_tag: asset_tag.clone(),
            fru_file_id: String::new(),
            custom: Vec::new(),
        }),
        records: vec![MultiRecord { type_id: OEM_RECORD, version: 2, data: OEM_DATA.to_vec() }],
        problems: Vec::new(),
    };
    inventory
        .encode()
        .map_err(|error| ConfigError::Value { key: "machine.fru".into(), message: error.to_string() })
}
