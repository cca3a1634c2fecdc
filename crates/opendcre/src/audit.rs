//! `opendcre audit`: the audit log of this machine, read from its file, whether a gateway runs or not. It changes nothing.

mod line;

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use opendcre_gateway::{
    AuditFile, AuditFilter, AuditHead, AuditOrder, AuditPage, AuditQuery, AuditRecord, AuditVerdict,
};

use crate::cli::{AuditCommand, AuditExportArgs, AuditPlace, AuditTailArgs, AuditVerifyArgs, OutputFormat};
use crate::config::Config;
use crate::exit::Exit;
use crate::output;

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// How often somebody who follows the log looks for more.
const INTERVAL: Duration = Duration::from_millis(500);

/// Does what `command` asks and prints the result to `out`.
///
/// # Errors
/// When the log cannot be read, or `out` cannot be written.
pub(crate) fn run(
    command: &AuditCommand,
    format: OutputFormat,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    match command {
        AuditCommand::Verify(args) => verify(args, out),
        AuditCommand::Export(args) => export(args, out).map(|()| Exit::Done),
        AuditCommand::Tail(args) => tail(args, format, out).map(|()| Exit::Done),
    }
}

fn file(place: &AuditPlace) -> anyhow::Result<AuditFile> {
    match &place.file {
        Some(file) => Ok(AuditFile::new(file)),
        None => Ok(AuditFile::new(Config::load(&place.config.config)?.audit_file())),
    }
}

fn verify(args: &AuditVerifyArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let file = file(&args.place)?;
    let verdict = file.verify(&args.heads)?;
    output::print(out, &report(&file, &verdict))?;
    Ok(if verdict.is_sound() { Exit::Done } else { Exit::Failed })
}

/// One line for each thing that is wrong, and one that says how it is.
fn report(file: &AuditFile, verdict: &AuditVerdict) -> String {
    let findings: String = verdict.findings.iter().map(|finding| format!("{finding}\n")).collect();
    let path = file.path().display();
    let state = if verdict.is_sound() { "sound" } else { "broken" };
    let head = verdict.head.map_or_else(|| "none".to_owned(), |head: AuditHead| head.to_string());
    format!("{findings}{path}: {state}; entries: {}, newest: {head}\n", verdict.entries)
}

fn export(args: &AuditExportArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let file = file(&args.place)?;
    let filter = AuditFilter { from: args.from, to: args.to, ..AuditFilter::default() };
    let last = args.last.unwrap_or(u64::MAX);
    let mut after = Some(args.first.saturating_sub(1));
    while let Some(from) = after.filter(|after| *after < last) {
        let page = page_behind(&file, from, filter.clone())?;
        let wanted = page.entries.iter().take_while(|entry| entry.sequence <= last);
        output::print(out, &wanted.map(|entry| entry.to_json() + "\n").collect::<String>())?;
        after = page.next;
    }
    Ok(())
}

fn page_behind(file: &AuditFile, after: u64, filter: AuditFilter) -> anyhow::Result<AuditPage> {
    let query = AuditQuery { after: Some(after), limit: PAGE, order: AuditOrder::OldestFirst, filter };
    Ok(file.page(&query)?)
}

fn tail(args: &AuditTailArgs, format: OutputFormat, out: &mut impl Write) -> anyhow::Result<()> {
    let file = file(&args.place)?;
    let newest =
        AuditQuery { limit: args.lines.into(), order: AuditOrder::NewestFirst, ..AuditQuery::default() };
    let mut page = file.page(&newest)?;
    page.entries.reverse();
    print_entries(&page.entries, format, out)?;
    if args.follow {
        let seen = page.head.map_or(0, |head| head.sequence);
        follow(&file, seen, format, out)?;
    }
    Ok(())
}

/// Prints what comes behind the entry with the number `seen`, until that fails or the program is interrupted.
fn follow(file: &AuditFile, mut seen: u64, format: OutputFormat, out: &mut impl Write) -> anyhow::Result<()> {
    loop {
        let page = page_behind(file, seen, AuditFilter::default())?;
        print_entries(&page.entries, format, out)?;
        // One that has fewer entries was begun anew.
        let newest = page.head.map_or(0, |head| head.sequence);
        seen = if newest < seen { 0 } else { page.entries.last().map_or(seen, |entry| entry.sequence) };
        if page.next.is_none() {
            sleep(INTERVAL);
        }
    }
}

fn print_entries(entries: &[AuditRecord], format: OutputFormat, out: &mut impl Write) -> anyhow::Result<()> {
    let lines = entries.iter().map(|entry| match format {
        OutputFormat::Table => line::of(entry),
        OutputFormat::Json => entry.to_json(),
    });
    output::print(out, &lines.map(|line| line + "\n").collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use clap::Parser;
    use opendcre_gateway::{AuditEntry, AuditKind, AuditLog};
    use opendcre_model::WallClock;
    use serde_json::Value;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::clock::SystemClock;

    /// A log of so many entries, the first of which says that it was begun.
    async fn log(path: &Path, entries: u64) {
        let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
        let log = AuditLog::open(path, Arc::clone(&clock)).unwrap();
        for number in 2..=entries {
            let time = format!("2026-12-01T10:00:{number:02}Z").parse().unwrap();
            log.append(&AuditEntry::new(AuditKind::Started, time).saying("a\u{1b}[2Jb")).await.unwrap();
        }
    }

    fn audit(words: &str, path: &Path) -> (String, Exit) {
        let line = format!("opendcre audit {words} --file {}", path.display());
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Audit(args) = cli.command else { panic!("not about the audit log") };
        let mut out = Vec::new();
        let exit = run(&args.command, cli.client.output, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), exit)
    }

    #[tokio::test]
    async fn a_log_is_sound_until_somebody_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        log(&path, 5).await;
        let (report, exit) = audit("verify", &path);
        assert_eq!(exit, Exit::Done, "{report}");
        assert!(report.contains("audit.db: sound; entries: 5, newest: 5:"), "{report}");
        let head = report.trim_end().rsplit(' ').next().unwrap();
        assert_eq!(audit(&format!("verify --head {head}"), &path).1, Exit::Done);

        let longer = head.replacen("5:", "6:", 1);
        let (report, exit) = audit(&format!("verify --head {longer}"), &path);
        assert_eq!(exit, Exit::Failed);
        assert!(report.starts_with("the log ends with entry 5, but entry 6:"), "{report}");
        assert!(report.contains("audit.db: broken; entries: 5"), "{report}");
    }

    #[tokio::test]
    async fn what_is_exported_can_be_chosen_by_number_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        log(&path, 8).await;
        let numbers = |words: &str| {
            let (text, _) = audit(words, &path);
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.map(|line| line["sequence"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(numbers("export"), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(numbers("export --first 3 --last 5"), [3, 4, 5]);
        assert_eq!(numbers("export --first 9"), <[u64; 0]>::default());
        assert_eq!(numbers("export --first 5 --last 4"), <[u64; 0]>::default());
        let times = "export --first 2 --from 2026-12-01T10:00:04Z --to 2026-12-01T10:00:06Z";
        assert_eq!(numbers(times), [4, 5]);
        assert_eq!(numbers("tail -n 2 -o json"), [7, 8]);
    }

    #[tokio::test]
    async fn the_end_of_the_log_is_for_people_and_harmless() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        log(&path, 2).await;
        let (text, _) = audit("tail -n 1", &path);
        assert_eq!(text, "2  2026-12-01T10:00:02Z  started  a\\u{1b}[2Jb\n");
    }
}
