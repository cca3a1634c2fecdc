//! What the image carries: the Debian package and the container, as they are handed out.

use std::path::PathBuf;

/// Where they are.
pub(crate) struct Product {
    /// The Debian package for the architecture of the board.
    pub(crate) package: PathBuf,
    /// The OCI archive, which holds the platform of the board.
    pub(crate) container: Option<PathBuf>,
}
