//! Changes to a copy of the board's device tree, so that QEMU can play the board. The image's own is left as it is.
//!
//! The console goes to the mini UART, which is off on the boards that have no use for it; the PL011 stays what the bus is
//! on. What QEMU emulates badly is avoided.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::disk;
use super::machine::Model;
use super::system::OVERLAY;
use crate::step::{answer, program, run};

/// The mini UART, which is ttyS1.
const MINI_UART: &str = "/soc/serial@7e215040";
/// The controller of the card that boards use.
const SDHOST: &str = "/soc/mmc@7e202000";
/// The other controller that can reach the card.
const SDHCI: &str = "/soc/mmc@7e300000";

/// Takes the device tree of `model` out of the firmware partition of `image` into `folder`, and adapts it to QEMU. There is
/// none for a machine that is no board.
///
/// # Errors
/// The image has none, or one that is not of such a board.
pub(crate) fn take(model: Model, image: &Path, folder: &Path) -> Result<Option<PathBuf>> {
    let Some(name) = model.device_tree() else {
        return Ok(None);
    };
    disk::take_firmware(image, name, folder)?;
    let file = folder.join(name);
    if model == Model::Raspi3b {
        disk::take_firmware(image, &format!("overlays/{OVERLAY}"), folder)?;
        apply(&folder.join(OVERLAY), &file)?;
    }
    let tree = Tree { file: &file };
    tree.add_console()?;
    if model == Model::Raspi2b {
        tree.use_sdhci()?;
    }
    Ok(Some(file))
}

/// Does what the loader of the board does with an overlay.
fn apply(overlay: &Path, file: &Path) -> Result<()> {
    let whole = file.with_extension("whole");
    let mut merge = program("fdtoverlay", &["-i"]);
    merge.arg(file).arg("-o").args([whole.as_path(), overlay]);
    run(merge)?;
    fs::rename(whole, file).map_err(Into::into)
}

struct Tree<'a> {
    file: &'a Path,
}

impl Tree<'_> {
    /// Switches the mini UART on, without its pins: those of the header belong to the PL011.
    fn add_console(&self) -> Result<()> {
        self.set(MINI_UART, "status", "okay")?;
        self.set("/aliases", "serial1", MINI_UART)?;
        let mut list = program("fdtget", &["-p"]);
        list.arg(self.file).arg(MINI_UART);
        for property in answer(list)?.lines().filter(|name| name.starts_with("pinctrl-")) {
            let mut remove = program("fdtput", &["-d"]);
            remove.arg(self.file).args([MINI_UART, property]);
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
        pins.arg(self.file).args(["/soc/gpio@7e200000/emmc-gpio48", "phandle"]);
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
