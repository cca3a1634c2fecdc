//! `opendcre config`: what the configuration is, and whether it is sound.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use opendcre_model::WallClock;
use schemars::schema_for;

use super::text::bmc_address;
use super::{Config, Ipmi, exposure};
use crate::cli::ConfigCommand;
use crate::clock::SystemClock;
use crate::output;
use crate::serve::{login, publish};

/// Does what `command` asks and prints the result to `out`.
///
/// # Errors
/// When the configuration is not sound, or `out` cannot be written.
pub fn run(command: &ConfigCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Check(file) => check(&file.config, out),
        ConfigCommand::Show(file) => show(&file.config, out),
        ConfigCommand::Schema => schema(out),
    }
}

/// Fails with one line for each thing that is wrong, like a compiler.
fn check(path: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let config = Config::load(path).map_err(|error| anyhow!(error.lines().join("\nerror: ")))?;
    let bmcs = config.bmcs()?;
    if !bmcs.defects.is_empty() {
        let messages: Vec<String> = bmcs.defects.into_iter().map(|defect| defect.message).collect();
        return Err(anyhow!(messages.join("\nerror: ")));
    }
    let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
    let unsound = |error| anyhow!("{}: {error:#}", path.display());
    login::check(&config, &clock).map_err(unsound)?;
    publish::check(&config).map_err(unsound)?;
    let exposed = exposure::check(&config, path)?;
    let mut report: String = bmcs.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    report.extend(exposed.map(|exposed| format!("warning: {exposed}\n")));
    let (buses, bmcs) = (config.devicebus.len(), bmcs.served.len());
    report += &format!("{}: sound; device buses: {buses}, BMCs: {bmcs}\n", path.display());
    output::print(out, &report)
}

fn show(path: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let mut config = Config::load(path)?;
    config.audit.file = Some(config.audit_file());
    config.ipmi.iter_mut().for_each(Ipmi::fill_in);
    let mut text = toml::to_string(&config).context("the configuration cannot be written as TOML")?;
    for bmc in config.ipmi.iter().filter(|bmc| bmc.password.is_some()) {
        text += &format!(
            "# ipmi {:?}.password stands in the file and is not shown\n",
            bmc_address::print(&bmc.address)
        );
    }
    output::print(out, &text)
}

fn schema(out: &mut impl Write) -> anyhow::Result<()> {
    let mut schema = serde_json::to_string_pretty(&schema_for!(Config))?;
    schema.push('\n');
    output::print(out, &schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ConfigFile;

    #[test]
    fn check_counts_what_is_sound_and_lists_all_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("opendcre.toml");
        let check = || {
            let mut out = Vec::new();
            let file = ConfigFile { config: config.clone() };
            let result = run(&ConfigCommand::Check(file), &mut out);
            result.map(|()| String::from_utf8(out).unwrap()).map_err(|error| error.to_string())
        };

        std::fs::write(&config, "[legacy]\nbmc_config = 'bmcs.json'\n").unwrap();
        std::fs::write(folder.path().join("bmcs.json"), r#"{"bmcs": []}"#).unwrap();
        let sound = check().unwrap();
        assert!(sound.ends_with("opendcre.toml: sound; device buses: 0, BMCs: 0\n"), "{sound}");

        std::fs::write(folder.path().join("bmcs.json"), "{}").unwrap();
        assert!(
            check()
                .unwrap_err()
                .contains("bmcs.json: needs a list \"bmcs\" or \"racks\" at the top; none of its")
        );

        std::fs::write(&config, "[log]\nlevel = 'loud'\nmax_files = 0\n").unwrap();
        let faults = check().unwrap_err();
        let lines: Vec<&str> = faults.lines().collect();
        assert_eq!(lines.len(), 2, "{faults}");
        assert!(lines[0].contains("opendcre.toml:2: log.level: "), "{faults}");
        assert!(
            lines[1].starts_with("error: ") && lines[1].contains("opendcre.toml:3: log.max_files: "),
            "{faults}"
        );
    }

    #[test]
    fn show_says_where_a_password_comes_from_and_never_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("opendcre.toml");
        let inline = "[[ipmi]]\nrack = 'r'\naddress = '10.1.0.20'\npassword = 's3cr3t'\n";
        let file = "[[ipmi]]\nrack = 'r'\naddress = '10.1.0.21'\npassword_file = '/etc/bmc'\n";
        let variable = "[[ipmi]]\nrack = 'r'\naddress = '10.1.0.22'\npassword_env = 'BMC'\n";
        std::fs::write(&config, format!("{inline}{file}{variable}")).unwrap();
        let mut out = Vec::new();
        run(&ConfigCommand::Show(ConfigFile { config }), &mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(!shown.contains("s3cr3t"), "{shown}");
        for line in [
            "# ipmi \"10.1.0.20\".password stands in the file and is not shown",
            "password_file = \"/etc/bmc\"",
            "password_env = \"BMC\"",
            "suites = [17, 3]",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} is missing in\n{shown}");
        }
    }

    #[test]
    fn show_fills_in_every_default() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("opendcre.toml");
        std::fs::write(&config, "[state]\ndirectory = '/state'\n").unwrap();
        let mut out = Vec::new();
        run(&ConfigCommand::Show(ConfigFile { config }), &mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        for line in ["listen = \"127.0.0.1:5000\"", "rotate_size = \"10MiB\"", "file = \"/state/audit.db\""] {
            assert!(shown.lines().any(|shown| shown == line), "{line} is missing in\n{shown}");
        }
    }
}
