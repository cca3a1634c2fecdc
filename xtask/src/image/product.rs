//! What the image carries: the Debian package and the container, as they are handed out.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::board::Board;
use crate::binary::Profile;
use crate::{container, package};

/// Where they are.
pub(crate) struct Product {
    /// The Debian package for the processor of the board.
    pub(crate) package: PathBuf,
    /// The OCI archive, which holds the platform of the board.
    pub(crate) container: PathBuf,
}

impl Product {
    /// Makes them for `board`.
    ///
    /// # Errors
    /// They cannot be built.
    pub(crate) fn make(board: Board, profile: Profile) -> Result<Self> {
        let targets = [board.target()];
        let package = package::run(&targets, profile)?.pop().context("no package was made")?;
        Ok(Self { package, container: container::run(&targets, profile)? })
    }
}
