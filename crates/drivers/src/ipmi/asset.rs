//! What a server says about itself and its parts: the inventory of its BMC (FRU device 0), and what in it tells the
//! server from every other one.

use opendcre_ipmi::CommandError;
use opendcre_ipmi::fru::{BoardInfo, ChassisInfo, FruInventory, ProductInfo, ReadFru};
use opendcre_model::{
    AssetInfo, BoardAsset, BoardId, ChassisAsset, Context, DriverError, Identity, ProductAsset,
};

use super::bmcs::Bmcs;
use super::error::{BmcError, Problem};

/// The FRU device that describes the BMC's own board, chassis and product (IPMI 2.0 §34).
const OWN: u8 = 0;
/// What stands where a serial number was forgotten, besides words.
const FORGOTTEN: [&str; 2] = ["0123456789", "1234567890"];

impl Bmcs {
    /// What the server says about itself.
    pub(super) async fn asset_info(
        &self,
        board: BoardId,
        context: Context,
    ) -> Result<AssetInfo, DriverError> {
        let management_address = Some(self.bmc(board)?.address.ip());
        let inventory = self.inventory(board, context).await?;
        Ok(AssetInfo { management_address, ..asset(inventory) })
    }

    /// The contents of the BMC's own FRU device, as far as they can be read.
    pub(super) async fn inventory(&self, board: BoardId, context: Context) -> Result<FruInventory, BmcError> {
        let contents = self.run(board, ReadFru::new(OWN), context).await?;
        contents.inventory().map_err(|problem| {
            self.error(board, Problem::Command(CommandError::Malformed { command: "Read FRU Data", problem }))
        })
    }
}

fn asset(inventory: FruInventory) -> AssetInfo {
    AssetInfo {
        board: inventory.board.map(board).unwrap_or_default(),
        chassis: inventory.chassis.map(chassis).unwrap_or_default(),
        product: inventory.product.map(product).unwrap_or_default(),
        management_address: None,
    }
}

fn board(info: BoardInfo) -> BoardAsset {
    let BoardInfo { manufacturer, product_name, serial_number, part_number, .. } = info;
    BoardAsset { manufacturer, part_number, product_name, serial_number }
}

fn chassis(info: ChassisInfo) -> ChassisAsset {
    let ChassisInfo { chassis_type, part_number, serial_number, .. } = info;
    let chassis_type = chassis_type.name().unwrap_or_default().to_owned();
    ChassisAsset { chassis_type, part_number, serial_number }
}

fn product(info: ProductInfo) -> ProductAsset {
    let ProductInfo { manufacturer, name, part_number, version, serial_number, asset_tag, .. } = info;
    ProductAsset { asset_tag, manufacturer, part_number, product_name: name, serial_number, version }
}

/// The identity that a serial number gives: that of the product, else that of the board.
pub(super) fn serial_identity(inventory: &FruInventory) -> Option<Identity> {
    let product = inventory.product.as_ref().map(|info| (&info.manufacturer, &info.serial_number));
    let board = inventory.board.as_ref().map(|info| (&info.manufacturer, &info.serial_number));
    let mut numbers = [product, board].into_iter().flatten();
    let (manufacturer, serial) =
        numbers.find(|(manufacturer, serial)| !manufacturer.is_empty() && is_serial_number(serial))?;
    Some(Identity(format!("serial:{manufacturer}/{serial}")))
}

/// Whether a text is more than what a manufacturer leaves in place of a number, such as "To be filled" or "0000".
fn is_serial_number(text: &str) -> bool {
    text.contains(|char: char| matches!(char, '1'..='9')) && !FORGOTTEN.contains(&text)
}

#[cfg(test)]
mod tests {
    use opendcre_ipmi::fru::{ChassisType, Language};

    use super::*;

    fn product_info(serial: &str) -> ProductInfo {
        ProductInfo {
            language: Language::ENGLISH,
            manufacturer: "ACME".into(),
            name: "Server".into(),
            part_number: "S-1".into(),
            version: "A".into(),
            serial_number: serial.into(),
            asset_tag: "7".into(),
            fru_file_id: String::new(),
            custom: Vec::new(),
        }
    }

    fn board_info(serial: &str) -> BoardInfo {
        BoardInfo {
            language: Language::ENGLISH,
            manufactured: None,
            manufacturer: "Boards".into(),
            product_name: "Board".into(),
            serial_number: serial.into(),
            part_number: "B-1".into(),
            fru_file_id: String::new(),
            custom: Vec::new(),
        }
    }

    fn chassis_info(chassis_type: u8) -> ChassisInfo {
        ChassisInfo {
            chassis_type: ChassisType(chassis_type),
            part_number: "C-1".into(),
            serial_number: "C-2".into(),
            custom: Vec::new(),
        }
    }

    fn inventory(product: &str, board: &str) -> FruInventory {
        FruInventory {
            chassis: Some(chassis_info(0x17)),
            product: Some(product_info(product)),
            board: Some(board_info(board)),
            ..FruInventory::default()
        }
    }

    #[test]
    fn every_area_has_its_place() {
        let asset = asset(inventory("P1", "B1"));
        let product = ProductAsset {
            asset_tag: "7".into(),
            manufacturer: "ACME".into(),
            part_number: "S-1".into(),
            product_name: "Server".into(),
            serial_number: "P1".into(),
            version: "A".into(),
        };
        let board = BoardAsset {
            manufacturer: "Boards".into(),
            part_number: "B-1".into(),
            product_name: "Board".into(),
            serial_number: "B1".into(),
        };
        let chassis = ChassisAsset {
            chassis_type: "Rack Mount Chassis".into(),
            part_number: "C-1".into(),
            serial_number: "C-2".into(),
        };
        assert_eq!(asset, AssetInfo { board, chassis, product, management_address: None });
    }

    #[test]
    fn what_is_not_there_is_empty() {
        assert_eq!(asset(FruInventory::default()), AssetInfo::default());
        assert_eq!(chassis(chassis_info(0)).chassis_type, "");
    }

    #[test]
    fn the_product_is_known_by_its_number_else_the_board() {
        let identity =
            |product, board| serial_identity(&inventory(product, board)).map(|identity| identity.0);
        assert_eq!(identity("P1", "B1").as_deref(), Some("serial:ACME/P1"));
        for forgotten in ["", "0", "0000000", "To be filled by O.E.M.", "0123456789", "N/A"] {
            assert_eq!(identity(forgotten, "B1").as_deref(), Some("serial:Boards/B1"), "{forgotten:?}");
            assert_eq!(identity(forgotten, forgotten), None, "{forgotten:?}");
        }
        let nobody = ProductInfo { manufacturer: String::new(), ..product_info("P1") };
        let of_nobody = FruInventory { product: Some(nobody), ..FruInventory::default() };
        assert_eq!(serial_identity(&of_nobody), None);
    }
}
