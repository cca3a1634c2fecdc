//! The container image: the binary, the names that the original's scripts had, roots of trust, a user, and nothing else.
//!
//! It is made without a daemon, for all machines in one archive. What is in the image is decided here; [`oci`] knows the format.

mod oci;
pub(crate) mod test;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::archive::Archive;
use crate::binary::{Profile, Sources};
use crate::dist::{VERSION, folder, third_party, write_checksums};
use crate::target::Target;
use crate::{root, say, tool};

/// What the image is called where it is loaded: the name that the original's run lines have.
const NAME: &str = "localhost/opendcre:latest";

/// The user for those who do not want to be root in the container. It has the same number in every release, because it owns
/// what is in volumes.
const USER: u64 = 5000;

/// Where the original's scripts were, and where they are looked for.
const WORKING_FOLDER: &str = "opendcre";

/// The names under which the program does what the original's scripts did.
const SCRIPTS: [&str; 3] =
    ["start_opendcre.sh", "start_opendcre_emulator.sh", "start_opendcre_plc_emulator.sh"];

/// Whom the system trusts; the image gets the same.
const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";

/// Makes the image for `targets`, in one archive.
///
/// # Errors
/// A tool cannot be installed, or something cannot be built or written.
pub(crate) fn run(targets: &[Target], profile: Profile) -> Result<PathBuf> {
    tool::install_for_container(targets)?;
    let sources = Sources::in_folder(root())?;
    let image = |target: &Target| {
        let binary = sources.build(*target, profile)?;
        image(&sources, *target, &binary, VERSION)
    };
    let images = targets.iter().map(image).collect::<Result<Vec<_>>>()?;
    let archive = oci::archive(NAME, &images, sources.time)?;
    let path = folder().join(format!("opendcre-{VERSION}-oci.tar"));
    fs::create_dir_all(folder())?;
    fs::write(&path, archive).with_context(|| format!("cannot write {}", path.display()))?;
    write_checksums(&folder())?;
    say(&format!("the image is in {}", path.display()))?;
    Ok(path)
}

/// An archive with an image for `target` in which `binary` is the program and says to be `version`.
///
/// # Errors
/// Something cannot be read.
pub(crate) fn archive_of(target: Target, binary: &Path, version: &str) -> Result<Vec<u8>> {
    let sources = Sources::in_folder(root())?;
    oci::archive(NAME, &[image(&sources, target, binary, version)?], sources.time)
}

fn image(sources: &Sources, target: Target, binary: &Path, version: &str) -> Result<oci::Image> {
    Ok(oci::Image {
        platform: target.platform(),
        layer: layer(target, binary)?.tar(sources.time)?,
        config: config(sources, version),
        labels: labels(sources, version),
    })
}

/// The files of the image.
fn layer(target: Target, binary: &Path) -> Result<Archive> {
    let mut layer = Archive::default();
    layer.file("usr/bin/opendcre", 0o755, read(binary)?);
    layer.file(ROOTS, 0o644, read(&Path::new("/").join(ROOTS))?);
    layer.file(
        "etc/passwd",
        0o644,
        format!("root:x:0:0:root:/:/\nopendcre:x:{USER}:{USER}::/var/lib/opendcre:/\n"),
    );
    // Debian's number of the group that owns serial ports, on a Raspberry Pi as well.
    layer.file("etc/group", 0o644, format!("root:x:0:\ndialout:x:20:opendcre\nopendcre:x:{USER}:\n"));
    for name in SCRIPTS {
        layer.link(format!("{WORKING_FOLDER}/{name}"), "/usr/bin/opendcre");
    }
    layer.folder("etc/opendcre", 0o755, 0);
    layer.folder("run/opendcre", 0o755, USER);
    layer.folder("tmp", 0o1777, 0);
    layer.folder("logs", 0o750, USER);
    layer.folder("var/lib/opendcre", 0o750, USER);
    layer.link("var/log/opendcre", "/logs");
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        layer.file(format!("usr/share/doc/opendcre/{name}"), 0o644, read(&root().join(name))?);
    }
    layer.file("usr/share/doc/opendcre/THIRD-PARTY-LICENCES", 0o644, third_party(target)?);
    Ok(layer)
}

/// How the image is run unless somebody says otherwise (OCI image configuration, `config`).
fn config(sources: &Sources, version: &str) -> Value {
    const SECOND: u64 = 1_000_000_000;
    json!({
        "Cmd": ["./start_opendcre.sh"],
        // As in the unit of the package.
        "Env": ["PATH=/usr/bin", "MALLOC_ARENA_MAX=1"],
        "ExposedPorts": { "5000/tcp": {} },
        // No part of the OCI format, so that podman does not read it; Docker reads it from any configuration.
        "Healthcheck": {
            "Test": ["CMD", "/usr/bin/opendcre", "ready"],
            "Interval": 30 * SECOND,
            "Timeout": 10 * SECOND,
            "StartPeriod": 30 * SECOND,
            "Retries": 3,
        },
        "Labels": labels(sources, version),
        "StopSignal": "SIGTERM",
        "Volumes": { "/logs": {}, "/var/lib/opendcre": {} },
        "WorkingDir": format!("/{WORKING_FOLDER}"),
    })
}

/// What the image says of itself (OCI image annotations, "Pre-Defined Annotation Keys").
fn labels(sources: &Sources, version: &str) -> Value {
    json!({
        "org.opencontainers.image.description": "Out-of-band management of data-centre equipment behind one REST API",
        "org.opencontainers.image.licenses": "Apache-2.0 OR MIT",
        "org.opencontainers.image.revision": sources.commit,
        "org.opencontainers.image.title": "OpenDCRE",
        "org.opencontainers.image.version": version,
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
