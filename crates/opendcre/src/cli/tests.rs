//! The command line as a whole: sound, explained, and its examples true.

use opendcre_model::{BootTarget, Identify};

use super::*;

fn assert_explained(command: &clap::Command) {
    let name = command.get_name();
    assert!(command.get_about().is_some(), "{name} says nothing about itself");
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    assert!(examples.contains("Examples:\n  opendcre "), "{name} has no examples");
    command.get_subcommands().for_each(assert_explained);
}

#[test]
fn every_command_is_sound_and_explains_itself() {
    command().debug_assert();
    assert_explained(&command());
}

#[test]
fn every_example_is_a_command_line() {
    fn examples(command: &clap::Command, lines: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let found = help.lines().filter_map(|line| line.strip_prefix("  opendcre "));
        lines.extend(found.map(ToOwned::to_owned));
        command.get_subcommands().for_each(|sub| examples(sub, lines));
    }
    let mut lines = Vec::new();
    examples(&command(), &mut lines);
    for line in lines {
        let words = line.split('>').next().unwrap_or_default().trim_end();
        // The one quoted argument of the examples is a single word to a shell.
        let words = words.replace("'rack 7, unit 12'", "rack");
        let parsed = Cli::try_parse_from(std::iter::once("opendcre").chain(words.split_whitespace()));
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn options_arrive_as_values() {
    let line = "opendcre emulate bus --config f.json --baud 9600 --protocol 1.1 --headers legacy \
                --fault drop=0.5 --fault noise=1 --delay-max 1s";
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let Command::Emulate(EmulateArgs { command: EmulateCommand::Bus(args) }) = cli.command else {
        panic!("{:?}", cli.command)
    };
    assert_eq!(
        (args.baud, args.protocol, args.headers),
        (Some(9600), BusProtocol::V1_1, Some(AnswerHeaders::Legacy))
    );
    assert_eq!(args.faults.len(), 2);
    assert_eq!((args.delay_max, args.seed, args.link), (Duration::from_secs(1), 1, None));
}

fn ipmi(words: &str) -> Result<IpmiArgs, clap::Error> {
    let line = format!("opendcre ipmi {words}");
    match Cli::try_parse_from(line.split_whitespace())?.command {
        Command::Ipmi(args) => Ok(args),
        _ => panic!("not a command to a BMC"),
    }
}

#[test]
fn commands_to_a_bmc_arrive_as_values() {
    let args = ipmi("boot set remote_optical --efi --host bmc-7 --user admin").unwrap();
    let IpmiCommand::Boot { command: BootCommand::Set(boot) } = args.command else {
        panic!("not a boot target")
    };
    assert_eq!((boot.target, boot.efi, boot.persistent), (BootTarget::RemoteOptical, true, false));
    assert_eq!(args.bmc.host, Some(Host { name: "bmc-7".to_owned(), port: 623 }));

    for (word, expected) in [
        ("", Identify::Seconds(15)),
        ("255", Identify::Seconds(255)),
        ("on", Identify::On),
        ("off", Identify::Off),
    ] {
        let IpmiCommand::Identify { identify } = ipmi(&format!("identify {word}")).unwrap().command else {
            panic!("not the lamp");
        };
        assert_eq!(identify.0, expected, "{word}");
    }

    for (words, expected) in [("", None), ("always-off", Some(PowerPolicy::AlwaysOff))] {
        let args = ipmi(&format!("power policy {words}")).unwrap();
        let IpmiCommand::Power { command: IpmiPowerCommand::Policy { policy } } = args.command else {
            panic!("not a policy");
        };
        assert_eq!(policy, expected);
    }

    let args = ipmi("dcmi limit set 350 --correction 2s --exception power-off").unwrap();
    let IpmiCommand::Dcmi { command: DcmiCommand::Limit { command: LimitCommand::Set(limit) } } =
        args.command
    else {
        panic!("not a limit");
    };
    assert_eq!((limit.watts, limit.exception), (350, LimitException::PowerOff));
    assert_eq!((limit.correction, limit.period), (Duration::from_secs(2), Duration::from_secs(5)));

    let IpmiCommand::Raw(raw) = ipmi("raw 0x2c 02 dc 1 0 ff --lun 3").unwrap().command else {
        panic!("not a raw command");
    };
    assert_eq!((raw.netfn, raw.command, raw.lun), (0x2c, 2, 3));
    assert_eq!(raw.data, [0xdc, 1, 0, 0xff]);
}

#[test]
fn nonsense_for_a_bmc_is_wrong_usage() {
    for words in [
        "identify 0",
        "identify 256",
        "boot set tape",
        "raw 07 01",
        "raw 06",
        "raw 06 01 100",
        "raw 06 01 --lun 4",
        "dcmi limit set 0",
        "dcmi limit set 350 --period 500ms",
        "dcmi limit set 350 --period 24h",
        "power restart",
        "power policy sometimes",
        "--user seventeen-letters info",
        "--host 10.1.0.20:0 ping",
        "info --ipmi15 md5 --suite 3",
        "info --ipmi15 md5 --kg-file kg",
        "info --suite 4",
    ] {
        assert!(ipmi(words).is_err(), "{words}");
    }
}

#[test]
fn a_job_is_shown_or_aborted() {
    let jobs = |words: &str| {
        let line = format!("opendcre jobs {words}");
        match Cli::try_parse_from(line.split_whitespace())?.command {
            Command::Client(ClientCommand::Jobs(args)) => Ok((args.id, args.command)),
            _ => panic!("not about jobs"),
        }
    };
    let abort = |result: Result<_, clap::Error>| match result {
        Ok((None, Some(JobsCommand::Abort { id }))) => id,
        other => panic!("{other:?}"),
    };
    assert!(matches!(jobs(""), Ok((None, None))));
    assert!(matches!(jobs("019a"), Ok((Some(id), None)) if id == "019a"));
    assert_eq!(abort(jobs("abort 019a")), "019a");
    assert!(jobs("abort").is_err() && jobs("019a abort").is_err());
}

#[test]
fn a_range_that_begins_with_a_hyphen_is_no_option() {
    assert!(Cli::try_parse_from(["opendcre", "list", "-rack_1"]).is_err());
    assert!(Cli::try_parse_from(["opendcre", "list", "--", "-rack_1"]).is_ok());
}

#[test]
fn only_commands_that_use_the_client_options_show_them() {
    fn help(command: &mut clap::Command, path: &[&str]) -> String {
        match path {
            [] => command.render_long_help().to_string(),
            [name, rest @ ..] => help(command.find_subcommand_mut(name).unwrap(), rest),
        }
    }
    let mut command = command();
    command.build();
    for path in [["serve"].as_slice(), &["demo"], &["emulate", "bmc"], &["config", "check"], &["completions"]]
    {
        let help = help(&mut command, path);
        assert!(!help.contains("--server") && !help.contains("--no-fold"), "{path:?}: {help}");
    }
    assert!(help(&mut command, &["asset", "get"]).contains("--no-fold"));
    assert!(Cli::try_parse_from(["opendcre", "-o", "json", "config", "schema"]).is_ok());
}

/// Everybody on the machine can read the command lines of all programs.
#[test]
fn no_option_takes_a_secret() {
    fn options(command: &clap::Command, names: &mut Vec<String>) {
        names.extend(command.get_opts().filter_map(clap::Arg::get_long).map(ToOwned::to_owned));
        command.get_subcommands().for_each(|sub| options(sub, names));
    }
    let mut names = Vec::new();
    options(&command(), &mut names);
    let secret = |name: &&String| name.contains("password") || name.starts_with("kg");
    let secrets: Vec<&String> = names.iter().filter(secret).collect();
    assert!(!secrets.is_empty() && secrets.iter().all(|name| name.ends_with("-file")), "{secrets:?}");
}
