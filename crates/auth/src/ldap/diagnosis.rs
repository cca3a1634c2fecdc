//! Why a directory refuses a password, as far as it says so: in a code of Active Directory inside a text.
//!
//! The text itself goes nowhere; it is whatever the server likes, and could repeat the password.

use super::message::Outcome;

/// What Active Directory means by the hexadecimal number after `data` in the text of a refusal: system error codes of
/// Windows ([MS-ERREF] §2.2).
const MEANINGS: [(u32, &str); 10] = [
    (0x525, "there is no such account"),
    (0x52e, "the password is wrong"),
    (0x530, "the account may not log in at this time"),
    (0x531, "the account may not log in from here"),
    (0x532, "the password has expired"),
    (0x533, "the account is disabled"),
    (0x568, "the account is in too many groups"),
    (0x701, "the account has expired"),
    (0x773, "the password must be changed first"),
    (0x775, "the account is locked"),
];

/// Why the password is refused.
pub(super) fn of_refusal(outcome: &Outcome) -> String {
    let code = outcome.code.0;
    match active_directory_code(&outcome.diagnostic) {
        None => format!("the directory refuses the password (code {code})"),
        Some(data) => {
            let known = MEANINGS.iter().find(|(number, _)| *number == data);
            let meaning = known.map_or("the directory refuses the password", |(_, meaning)| meaning);
            format!("{meaning} (code {code}, data {data:x})")
        }
    }
}

/// The number in texts like `80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 52e, v2580`.
fn active_directory_code(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("data ")?;
    let end = rest.find(|character: char| !character.is_ascii_hexdigit()).unwrap_or(rest.len());
    u32::from_str_radix(rest.get(..end)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::super::message::Code;
    use super::*;

    fn reason(text: &str) -> String {
        of_refusal(&Outcome { code: Code::INVALID_CREDENTIALS, diagnostic: text.to_owned() })
    }

    #[test]
    fn reads_the_codes_of_active_directory() {
        let text =
            "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 775, v2580\0";
        assert_eq!(reason(text), "the account is locked (code 49, data 775)");
        assert_eq!(reason("Simple Bind Failed: data 533"), "the account is disabled (code 49, data 533)");
        assert_eq!(reason("data 777, v1"), "the directory refuses the password (code 49, data 777)");
    }

    #[test]
    fn repeats_nothing_else() {
        for text in ["", "your password is hunter2", "data ", "data x", "data ffffffffff"] {
            assert_eq!(reason(text), "the directory refuses the password (code 49)");
        }
    }
}
