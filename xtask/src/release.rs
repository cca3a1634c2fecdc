//! What a release must pass beside [`crate::test`], and the making of everything that is handed out. It takes hours.

use std::io;

use anyhow::Result;

use crate::binary::Profile;
use crate::step::{self, Step};
use crate::target::Target;
use crate::{container, dist, image, package, test};

/// Makes everything, and tries it.
///
/// # Errors
/// The first step that fails.
pub(crate) fn run() -> Result<()> {
    const PROFILE: Profile = Profile::Release;
    let reproducible = |target: Target| {
        Step::function("same bytes", format!("two builds for {}", target.triple()), move || {
            dist::check(target, PROFILE)
        })
    };
    let mut steps = vec![Step::function("advisories", "what is known of the dependencies", test::audit)];
    steps.extend(Target::ALL.map(reproducible));
    steps.extend([
        Step::function("archives", "for every machine", || dist::run(&Target::ALL, PROFILE)),
        Step::function("package", "one for this machine, on a Debian system of its own", || {
            package::test::check(PROFILE)
        }),
        Step::function("packages", "for every machine", || package::run(&Target::ALL, PROFILE).map(drop)),
        Step::function("container", "one for this machine, in podman", || container::test::check(PROFILE)),
        Step::function("containers", "for every machine", || container::run(&Target::ALL, PROFILE).map(drop)),
        // Last, because an emulated board sometimes loses its network, which says nothing of the image.
        Step::function("images", "OpenMistOS on emulated machines", || image::check_all(PROFILE)),
    ]);
    step::run_all(steps, &mut io::stdout())
}
