//! Changes to a copy of the board's device tree, so that QEMU can play the board. The image's own is left as it is.
//!
//! The console goes to the mini UART, which is off on the boards that have no use for it; the PL011 stays what the bus is
//! on. What QEMU emulates badly is avoided.

use std::path::Path;

use anyhow::Result;

use super::machine::Model;
use crate::step::{answer, program, run};

/// The PL011, which is ttyAMA0.
const PL011: &str = "/soc/serial@7e201000";
/// The mini UART, which is ttyS1.
const MINI_UART: &str = "/soc/serial@7e215040";
/// The controller of the card that boards use.
const SDHOST: &str = "/soc/mmc@7e202000";
/// The other controller that can reach the card.
const SDHCI: &str = "/soc/mmc@7e300000";

/// Makes the device tree in `file` one for `model`.
///
/// # Errors
/// It is not the tree of such a board.
pub(crate) fn adapt(file: &Path, model: Model) -> Result<()> {
    let tree = Tree { file };
    if model == Model::Raspi3b {
        tree.give_back_pl011()?;
    }
    for node in [PL011, MINI_UART] {
        tree.set(node, "status", "okay")?;
    }
    tree.set("/aliases", "serial0", PL011)?;
    tree.set("/aliases", "serial1", MINI_UART)?;
    if model == Model::Raspi2b {
        tree.use_sdhci()?;
    }
    Ok(())
}

struct Tree<'a> {
    file: &'a Path,
}

impl Tree<'_> {
    /// What the overlay in the image does on a Pi 3: Bluetooth loses the PL011.
    fn give_back_pl011(&self) -> Result<()> {
        let mut list = program("fdtget", &["-l"]);
        list.arg(self.file).arg(PL011);
        for child in answer(list)?.split_whitespace() {
            let mut remove = program("fdtput", &["-r"]);
            remove.arg(self.file).arg(format!("{PL011}/{child}"));
            run(remove)?;
        }
        Ok(())
    }

    /// The emulated sdhost of this board loses interrupts of its DMA, and the card with them.
    fn use_sdhci(&self) -> Result<()> {
        self.set(SDHOST, "status", "disabled")?;
        self.set(SDHCI, "status", "okay")?;
        self.set(SDHCI, "pinctrl-names", "default")?;
        self.set_number(SDHCI, "bus-width", "4")?;
        let mut pins = program("fdtget", &["-t", "x"]);
        pins.arg(self.file).args(["/soc/gpio@7e200000/emmc_gpio48", "phandle"]);
        self.set_number(SDHCI, "pinctrl-0", answer(pins)?.trim())
    }

    fn set(&self, node: &str, property: &str, text: &str) -> Result<()> {
        self.put("s", node, property, text)
    }

    /// `number` is hexadecimal.
    fn set_number(&self, node: &str, property: &str, number: &str) -> Result<()> {
        self.put("x", node, property, number)
    }

    fn put(&self, kind: &str, node: &str, property: &str, value: &str) -> Result<()> {
        let mut command = program("fdtput", &["-t", kind]);
        command.arg(self.file).args([node, property, value]);
        run(command)
    }
}
