//! The `opendcre` program; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    opendcre::run(std::env::args_os())
}
