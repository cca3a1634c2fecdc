//! An inventory: chassis, board, product, and what else it holds.

use comfy_table::Table;
use jiff::Timestamp;
use opendcre_ipmi::fru::{
    BoardInfo, ChassisInfo, FruContents, FruInventory, MultiRecord, ProductInfo, ReadFru,
};
use serde::Serialize;

use super::console::{Report, fields, hex, joined, list};
use super::error::IpmiError;
use super::link::Link;

/// The contents of an inventory.
#[derive(Debug, Serialize)]
pub(super) struct Inventory {
    device: u8,
    chassis: Option<Chassis>,
    board: Option<Board>,
    product: Option<Product>,
    records: Vec<Record>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Chassis {
    #[serde(rename = "type")]
    kind: String,
    part_number: String,
    serial_number: String,
    custom: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Board {
    manufactured: Option<Timestamp>,
    manufacturer: String,
    product_name: String,
    serial_number: String,
    part_number: String,
    file_id: String,
    custom: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Product {
    manufacturer: String,
    name: String,
    part_number: String,
    version: String,
    serial_number: String,
    asset_tag: String,
    file_id: String,
    custom: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Record {
    #[serde(rename = "type")]
    kind: u8,
    name: Option<&'static str>,
    manufacturer: Option<u32>,
    data: String,
}

/// Reads the inventory with this number.
pub(super) async fn read(link: &Link, device: u8) -> Result<Inventory, IpmiError> {
    let contents = link.run(ReadFru::new(device)).await?;
    let inventory = contents.inventory();
    let inventory = inventory.map_err(|problem| IpmiError::Inventory { address: link.address, problem })?;
    Ok(Inventory::new(device, &contents, inventory))
}

impl Inventory {
    fn new(device: u8, contents: &FruContents, inventory: FruInventory) -> Self {
        let FruInventory { chassis, board, product, records, problems } = inventory;
        let cut_short = contents.cut_short.as_ref().map(|error| format!("the end is missing: {error}"));
        Self {
            device,
            chassis: chassis.map(Chassis::from),
            board: board.map(Board::from),
            product: product.map(Product::from),
            records: records.iter().map(Record::from).collect(),
            problems: problems.iter().map(ToString::to_string).chain(cut_short).collect(),
        }
    }
}

impl From<ChassisInfo> for Chassis {
    fn from(chassis: ChassisInfo) -> Self {
        let ChassisInfo { chassis_type, part_number, serial_number, custom } = chassis;
        Self { kind: chassis_type.to_string(), part_number, serial_number, custom }
    }
}

impl From<BoardInfo> for Board {
    fn from(board: BoardInfo) -> Self {
        Self {
            manufactured: board.manufactured.and_then(|seconds| Timestamp::from_second(seconds.into()).ok()),
            manufacturer: board.manufacturer,
            product_name: board.product_name,
            serial_number: board.serial_number,
            part_number: board.part_number,
            file_id: board.fru_file_id,
            custom: board.custom,
        }
    }
}

impl From<ProductInfo> for Product {
    fn from(product: ProductInfo) -> Self {
        Self {
            manufacturer: product.manufacturer,
            name: product.name,
            part_number: product.part_number,
            version: product.version,
            serial_number: product.serial_number,
            asset_tag: product.asset_tag,
            file_id: product.fru_file_id,
            custom: product.custom,
        }
    }
}

impl From<&MultiRecord> for Record {
    fn from(record: &MultiRecord) -> Self {
        Self {
            kind: record.type_id,
            name: record.type_name(),
            manufacturer: record.manufacturer(),
            data: hex(&record.data),
        }
    }
}

/// A text that is there.
fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

impl Chassis {
    fn rows(&self) -> [(&'static str, Option<String>); 4] {
        [
            ("chassis type", given(&self.kind)),
            ("chassis part number", given(&self.part_number)),
            ("chassis serial number", given(&self.serial_number)),
            ("chassis, further", joined(&self.custom)),
        ]
    }
}

impl Board {
    fn rows(&self) -> [(&'static str, Option<String>); 7] {
        [
            ("board manufacturer", given(&self.manufacturer)),
            ("board name", given(&self.product_name)),
            ("board part number", given(&self.part_number)),
            ("board serial number", given(&self.serial_number)),
            ("board made", self.manufactured.map(|time| time.to_string())),
            ("board file id", given(&self.file_id)),
            ("board, further", joined(&self.custom)),
        ]
    }
}

impl Product {
    fn rows(&self) -> [(&'static str, Option<String>); 8] {
        [
            ("product manufacturer", given(&self.manufacturer)),
            ("product name", given(&self.name)),
            ("product part number", given(&self.part_number)),
            ("product version", given(&self.version)),
            ("product serial number", given(&self.serial_number)),
            ("product asset tag", given(&self.asset_tag)),
            ("product file id", given(&self.file_id)),
            ("product, further", joined(&self.custom)),
        ]
    }
}

impl Record {
    fn row(&self) -> [String; 3] {
        let manufacturer = self.manufacturer.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let name = self.name.map_or_else(|| format!("type {:02x}", self.kind), ToOwned::to_owned);
        [name, manufacturer, self.data.clone()]
    }
}

impl Report for Inventory {
    fn tables(&self) -> Vec<Table> {
        let rows = self.chassis.iter().flat_map(Chassis::rows);
        let rows = rows.chain(self.board.iter().flat_map(Board::rows));
        let rows = rows.chain(self.product.iter().flat_map(Product::rows));
        let records = self.records.iter().map(Record::row);
        vec![fields(rows), list(["RECORD", "MANUFACTURER", "DATA"], records)]
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

#[cfg(test)]
mod tests {
    use opendcre_ipmi::fru::{ChassisType, FruPart, FruProblem, Language};

    use super::*;
    use crate::ipmi::console::shown;

    fn sample() -> Inventory {
        let inventory = FruInventory {
            chassis: Some(ChassisInfo {
                chassis_type: ChassisType::RACK_MOUNT,
                part_number: String::new(),
                serial_number: "C0001".to_owned(),
                custom: vec!["blue".to_owned(), "heavy".to_owned()],
            }),
            board: None,
            product: Some(ProductInfo {
                language: Language::ENGLISH,
                manufacturer: "Sundry Systems".to_owned(),
                name: "SIM-1U".to_owned(),
                part_number: String::new(),
                version: String::new(),
                serial_number: "P0001".to_owned(),
                asset_tag: "rack 7".to_owned(),
                fru_file_id: String::new(),
                custom: Vec::new(),
            }),
            records: vec![MultiRecord { type_id: 0xd0, version: 2, data: vec![1, 2, 3, 4] }],
            problems: vec![FruProblem::Checksum { part: FruPart::Product }],
        };
        let contents = FruContents { size: 256, bytes: Vec::new(), cut_short: None };
        Inventory::new(0, &contents, inventory)
    }

    #[test]
    fn fields_that_are_there_are_rows_and_problems_are_warnings() {
        insta::assert_snapshot!(shown(&sample()), @r"
        chassis type           Rack Mount Chassis
        chassis serial number  C0001
        chassis, further       blue, heavy
        product manufacturer   Sundry Systems
        product name           SIM-1U
        product serial number  P0001
        product asset tag      rack 7

        RECORD  MANUFACTURER  DATA
        OEM     197121        01 02 03 04
        warning: the product area has a wrong checksum
        ");
    }

    #[test]
    fn keys_for_programs_stay() {
        insta::assert_snapshot!(serde_json::to_string(&sample()).unwrap(), @r#"{"device":0,"chassis":{"type":"Rack Mount Chassis","part_number":"","serial_number":"C0001","custom":["blue","heavy"]},"board":null,"product":{"manufacturer":"Sundry Systems","name":"SIM-1U","part_number":"","version":"","serial_number":"P0001","asset_tag":"rack 7","file_id":"","custom":[]},"records":[{"type":208,"name":"OEM","manufacturer":197121,"data":"01 02 03 04"}],"problems":["the product area has a wrong checksum"]}"#);
    }
}
