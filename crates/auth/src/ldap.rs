//! Names and passwords that an LDAP directory or an Active Directory knows.

use opendcre_model::Subject;
use secrecy::SecretString;

use crate::Failure;

/// A directory.
#[derive(Debug)]
pub struct Ldap {}

impl Ldap {
    /// Who it is.
    ///
    /// # Errors
    /// The directory does not know the name, or the password is another one; or none of its servers can be asked.
    pub async fn authenticate(&self, _name: &str, _password: &SecretString) -> Result<Subject, Failure> {
        Err(Failure::Rejected { reason: "not built yet".to_owned() })
    }
}
