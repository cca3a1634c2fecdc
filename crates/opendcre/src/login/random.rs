//! Texts that nobody can guess.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::LoginError;

/// 256 random bits as 43 characters of base64url.
pub(super) fn unguessable() -> Result<String, LoginError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(LoginError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
