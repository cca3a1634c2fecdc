//! The command line as a whole: sound, explained, and its examples true.

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
