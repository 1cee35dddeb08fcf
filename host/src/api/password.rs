//! The owner's password, kept as what argon2id makes of it. Guessing costs whoever stole
//! the file 19 MiB and two passes a guess; so does a login here.

use std::sync::Mutex;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use punktfunk_core::bytes::to_hex;
use serde::{Deserialize, Serialize};

use super::error::Problem;

/// Memory of one guess, KiB.
const MEMORY: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// Most that a file may ask of us: another program may have been thriftier or dearer, but
/// a damaged number must not take all memory. KiB.
const MAX_MEMORY: u32 = 256 * 1024;
/// Shortest password, characters.
pub const SHORTEST: usize = 10;
/// Longest password, bytes.
pub const LONGEST: usize = 1024;

/// One at a time, so that many logins do not take the memory of the machine.
static TURN: Mutex<()> = Mutex::new(());

/// A password that only somebody who knows it can show.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    salt: String,
    hash: String,
    memory_kib: u32,
    passes: u32,
}

impl Password {
    /// # Errors
    /// It is too short or too long, or the system gives no random numbers.
    pub fn new(password: &str) -> Result<Self, Problem> {
        if password.chars().count() < SHORTEST || password.len() > LONGEST {
            let message = format!("choose a password of at least {SHORTEST} characters");
            return Err(Problem::invalid("password", message));
        }
        let salt = super::login::random_hex::<16>()?;
        let hash = derive(password, salt.as_bytes(), MEMORY, PASSES)
            .ok_or_else(|| Problem::internal("the password could not be hashed; try again"))?;
        Ok(Self { salt, hash: to_hex(&hash), memory_kib: MEMORY, passes: PASSES })
    }

    /// Whether it is this one.
    pub fn verify(&self, password: &str) -> bool {
        if password.len() > LONGEST || self.memory_kib > MAX_MEMORY || self.passes > 16 {
            return false;
        }
        derive(password, self.salt.as_bytes(), self.memory_kib, self.passes).is_some_and(|hash| {
            verify_slices_are_equal(to_hex(&hash).as_bytes(), self.hash.as_bytes()).is_ok()
        })
    }
}

/// 32 bytes from a password. `None` when the numbers make no sense.
pub(super) fn derive(password: &str, salt: &[u8], memory_kib: u32, passes: u32) -> Option<[u8; 32]> {
    let params = Params::new(memory_kib, passes, 1, Some(32)).ok()?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = [0; 32];
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    argon.hash_password_into(password.as_bytes(), salt, &mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_not_to_be_read() {
        let password = Password::new("correct horse").unwrap();
        assert!(password.verify("correct horse"));
        assert!(!password.verify("correct horsf") && !password.verify(""));
        assert_ne!(password, Password::new("correct horse").unwrap(), "salted");
        assert!(password.memory_kib >= 19 * 1024 && password.passes >= 2);
        assert!(!serde_json::to_string(&password).unwrap().contains("horse"));
        assert!(Password::new("ninechars").is_err());
        assert!(Password::new("zehn Ziché").is_ok(), "characters are counted, not bytes");
        assert!(Password::new(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn a_damaged_file_takes_no_memory() {
        let password =
            Password { salt: "00".repeat(16), hash: "00".repeat(32), memory_kib: u32::MAX, passes: 2 };
        assert!(!password.verify("anything at all"));
        assert!(!Password { memory_kib: 0, ..password }.verify("anything at all"));
    }
}
