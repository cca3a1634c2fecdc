//! How the service is doing, in one line for whoever supervises it.

use opendcre_gateway::Readiness;

/// The most of what is amiss that is named; there is one line for it.
const NAMED: usize = 8;

/// `12 boards, hardware`, and by name and code what is amiss.
pub(super) fn line(readiness: &Readiness, boards: usize) -> String {
    let plural = if boards == 1 { "" } else { "s" };
    let mut line = format!("{boards} board{plural}, {}", readiness.mode.name());
    let drivers = readiness.drivers.iter();
    let unusable = drivers.filter_map(|(name, health)| Some((name, health.as_ref().err()?.code)));
    let defects = readiness.defects.iter().map(|defect| (&defect.name, defect.code));
    let amiss: Vec<String> = unusable.chain(defects).map(|(name, code)| format!("{name} ({code})")).collect();
    if let Some(named) = amiss.get(..amiss.len().min(NAMED)).filter(|named| !named.is_empty()) {
        line += &format!("; amiss: {}", named.join(", "));
    }
    if amiss.len() > NAMED {
        line += &format!(" and {} more", amiss.len() - NAMED);
    }
    // A line break would begin another message to the supervisor.
    line.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use opendcre_gateway::{Defect, Mode};
    use opendcre_model::{DriverError, Fault};

    use super::*;

    fn defect(name: &str) -> Defect {
        Defect { name: name.to_owned(), code: "emulated", message: "long".to_owned() }
    }

    #[test]
    fn a_line_counts_boards_and_names_what_is_amiss() {
        let mut readiness = Readiness::default();
        assert_eq!(line(&readiness, 1), "1 board, hardware");
        readiness.mode = Mode::Emulator;
        readiness.defects.push(defect("devicebus.hat"));
        readiness.drivers.push(("loft".to_owned(), Err(DriverError::new(Fault::Gone, "unplugged"))));
        assert_eq!(line(&readiness, 5), "5 boards, emulator; amiss: loft (gone), devicebus.hat (emulated)");
    }

    #[test]
    fn however_much_is_amiss_it_is_one_short_line() {
        let defects = (0..20).map(|number| defect(&format!("a\n{number}"))).collect();
        let line = line(&Readiness { defects, ..Readiness::default() }, 0);
        assert!(line.ends_with("a 7 (emulated) and 12 more") && !line.contains('\n'), "{line}");
    }
}
