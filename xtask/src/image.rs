//! OpenMistOS: images of cards for boards, and the proof that they work.
//!
//! An image is made of Debian's packages, the files in openmistos/, and the product as it is handed out. Needs root, and
//! a processor that is emulated where the board has another one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::binary::Profile;
use crate::debian::Archive;
use crate::step::{answer, program, run};
use crate::{root, say, tool};
use bench::Trial;
use board::Board;
use machine::Model;
use product::Product;

mod adversity;
mod bench;
mod board;
mod device_tree;
mod disk;
mod guest;
mod host;
mod machine;
mod mini;
mod product;
mod proof;
mod system;
mod update;

/// What can be done with images.
#[derive(Subcommand)]
pub(crate) enum ImageCommand {
    /// Make the image for Raspberry Pi 2.
    Rpi2(Options),
    /// Make the image for Raspberry Pi 3 and 4.
    Rpi(Options),
    /// Start an image in an emulated machine, with the emulated bus at its serial port, and try what it must be able to do.
    Test {
        /// What is tried; without it, both images are made and tried as `virt`, `raspi2b` and `raspi3b`.
        trial: Option<TrialName>,
    },
}

/// Where things come from.
#[derive(Args)]
pub(crate) struct Options {
    /// The archive of Debian, if not that of this machine.
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// How well the compiler does its work.
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

/// The trials that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrialName {
    /// The image for Raspberry Pi 2 in a machine that is no board, but fast.
    Virt,
    /// The image for Raspberry Pi 3 and 4 in such a machine.
    Virt64,
    /// Updates of the container, in the same machine as `virt`.
    Update,
    /// What may be missing, in the same machine as `virt`.
    Adversity,
    /// Kernel, device tree and binary of the image for Raspberry Pi 2 on that board.
    Raspi2b,
    /// Kernel, device tree and binary of the image for Raspberry Pi 3 and 4 on a Raspberry Pi 3.
    Raspi3b,
    /// The first start of the whole image for Raspberry Pi 2 on that board, within twelve minutes. QEMU sometimes loses its
    /// network; then start it again.
    Rpi2,
    /// The whole image for Raspberry Pi 3 and 4 on a Raspberry Pi 3.
    Rpi,
}

/// Carries out what was asked for.
///
/// # Errors
/// It cannot be done, or the image does not do what it must.
pub(crate) fn run_command(command: ImageCommand) -> Result<()> {
    match command {
        ImageCommand::Rpi2(options) => make(Board::Rpi2, &options),
        ImageCommand::Rpi(options) => make(Board::Rpi, &options),
        ImageCommand::Test { trial: Some(trial) } => try_image(trial),
        ImageCommand::Test { trial: None } => check(Profile::Gate),
    }
}

fn make(board: Board, options: &Options) -> Result<()> {
    if !tool::is_root()? {
        bail!("the system of an image has files of several users, which only root may make; run it as root");
    }
    host::prepare_making()?;
    let archive = Archive::find(options.mirror.as_deref())?;
    let scratch = folder(board);
    fs::create_dir_all(&scratch)?;
    let time = commit_time()?;
    let product = Product::make(board, options.profile)?;
    let system = system::Maker { board, scratch: &scratch, archive: &archive, time: &time }.make(&product)?;
    let image = image_file(board);
    disk::Maker { scratch: &scratch, archive: &archive, time: &time }.write(&system, &image)?;
    say(&format!("{}: {} MiB of system", image.display(), system::size(&system)?)).map_err(Into::into)
}

/// Makes the images and tries what can be tried in minutes.
///
/// # Errors
/// An image cannot be made, or does not do what it must.
pub(crate) fn check(profile: Profile) -> Result<()> {
    make(Board::Rpi2, &Options { mirror: None, profile })?;
    for trial in [TrialName::Virt, TrialName::Raspi2b] {
        try_image(trial)?;
    }
    make(Board::Rpi, &Options { mirror: None, profile })?;
    try_image(TrialName::Raspi3b)
}

/// Makes the images and tries them, also where it takes long. Left out is the whole image on a Raspberry Pi 3: how long that
/// takes is not known.
///
/// # Errors
/// An image cannot be made, or does not do what it must.
pub(crate) fn check_all(profile: Profile) -> Result<()> {
    for board in [Board::Rpi2, Board::Rpi] {
        make(board, &Options { mirror: None, profile })?;
    }
    let mut trials = vec![TrialName::Virt, TrialName::Virt64, TrialName::Update, TrialName::Adversity];
    trials.extend([TrialName::Raspi2b, TrialName::Raspi3b, TrialName::Rpi2]);
    trials.into_iter().try_for_each(try_image)
}

fn try_image(name: TrialName) -> Result<()> {
    host::prepare_trying()?;
    let opendcre = emulator()?;
    let virt = |board| Trial { board, model: Model::Virt, limit: Duration::from_secs(900) };
    match name {
        TrialName::Virt => try_whole(&virt(Board::Rpi2), &opendcre),
        TrialName::Virt64 => try_whole(&virt(Board::Rpi), &opendcre),
        TrialName::Rpi2 => {
            let limit = Duration::from_secs(720);
            let trial = Trial { board: Board::Rpi2, model: Model::Raspi2b, limit };
            proof::run_first_start(
                &trial,
                &existing_image(trial.board)?,
                &opendcre,
                &bench_of(&trial, "whole"),
            )
        }
        TrialName::Rpi => {
            let limit = Duration::from_secs(900);
            try_whole(&Trial { board: Board::Rpi, model: Model::Raspi3b, limit }, &opendcre)
        }
        TrialName::Update => {
            let trial = virt(Board::Rpi2);
            let system = folder(trial.board).join(system::FOLDER);
            update::run(
                &trial,
                &existing_image(trial.board)?,
                &system,
                &opendcre,
                &bench_of(&trial, "update"),
            )
        }
        TrialName::Adversity => {
            let trial = virt(Board::Rpi2);
            adversity::run(&trial, &existing_image(trial.board)?, &opendcre, &bench_of(&trial, "adversity"))
        }
        TrialName::Raspi2b => try_parts(Board::Rpi2, Model::Raspi2b, &opendcre),
        TrialName::Raspi3b => try_parts(Board::Rpi, Model::Raspi3b, &opendcre),
    }
}

/// Tries the image with everything that is in it.
fn try_whole(trial: &Trial, opendcre: &Path) -> Result<()> {
    proof::run(trial, &existing_image(trial.board)?, opendcre, &bench_of(trial, "whole"))
}

/// The folder of a trial.
fn bench_of(trial: &Trial, name: &str) -> PathBuf {
    folder(trial.board).join(format!("{name}-{}", trial.model.name()))
}

/// Tries what of the image depends on the board.
fn try_parts(board: Board, model: Model, opendcre: &Path) -> Result<()> {
    let image = existing_image(board)?;
    let system = folder(board).join(system::FOLDER);
    let parts = mini::Parts { board, model, image: &image, system: &system };
    mini::run_trial(&parts, opendcre, &folder(board).join(format!("parts-{}", model.name())))
}

fn existing_image(board: Board) -> Result<PathBuf> {
    let image = image_file(board);
    if !image.exists() {
        bail!("{} is missing; make it with `cargo xtask image {}`", image.display(), board.name());
    }
    Ok(image)
}

/// Builds the program that plays the bus, and says where it is.
fn emulator() -> Result<PathBuf> {
    run(program("cargo", &["build", "--locked", "--quiet", "--package", "opendcre"]))?;
    let metadata = answer(program("cargo", &["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata.get("target_directory").and_then(|folder| folder.as_str());
    Ok(PathBuf::from(target.context("cargo does not tell where it builds")?).join("debug/opendcre"))
}

/// When the last commit was made: the same sources give the same image.
fn commit_time() -> Result<String> {
    Ok(answer(program("git", &["log", "-1", "--format=%ct"]))?.trim().to_owned())
}

fn folder(board: Board) -> PathBuf {
    root().join("target/image").join(board.name())
}

fn image_file(board: Board) -> PathBuf {
    root().join(format!("target/image/openmistos-{}.img", board.name()))
}
