//! VictoriaMetrics, a store that takes OTLP and answers as Prometheus does, which in no Debian takes it: the package of a
//! later Debian than this may be, unpacked beside the other tools and not installed.

use std::fs;

use anyhow::Result;

use crate::debian::{Archive, RELEASE};
use crate::say;
use crate::step::{program, run};
use crate::tool;

const PACKAGE: &str = "victoria-metrics";

/// Unpacks it unless it is there already.
///
/// # Errors
/// It cannot be had, or does not run.
pub(crate) fn install() -> Result<()> {
    let folder = tool::tools().join(PACKAGE);
    let installed = folder.join("usr/bin").join(PACKAGE);
    if !installed.exists() {
        say(&format!("unpacking {PACKAGE} of Debian {RELEASE}"))?;
        fs::create_dir_all(&folder)?;
        Archive::find(None)?.unpack(&[PACKAGE], &folder)?;
    }
    run(program(&installed, &["-version"]))
}
