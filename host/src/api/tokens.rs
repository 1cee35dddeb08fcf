//! Tokens for programs: each with a name, a scope and perhaps an end. Only their hashes are
//! kept; the secret is shown once.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use punktfunk_core::bytes::to_hex;
use punktfunk_core::crypto::sha256;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::clock::Clock;
use super::error::Problem;
use super::scope::Scope;
use crate::store::{StoreError, read_versioned, write_versioned};

/// The format that is written, and the only one there was.
const FORMAT: u32 = 1;
/// The file in the state directory.
const FILE: &str = "tokens.json";
/// What a secret begins with, so that people and scanners know one when they see it.
const PREFIX: &str = "pf_";
/// Tokens of one host.
const MAX_TOKENS: usize = 100;
/// A use is not noted again for so long, seconds: each note is a write.
const USED_AGAIN: u64 = 60;

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Names it in requests.
    pub id: String,
    /// What the owner calls it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Seconds since 1970.
    pub created: u64,
    /// From when it counts no more, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Last use, to the minute, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
}

/// All tokens of a host.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    clock: Clock,
    list: Mutex<Vec<Kept>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    token: Token,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    tokens: Vec<Kept>,
}

impl Tokens {
    pub(super) fn open(state: &Path, clock: Clock) -> Result<Self, StoreError> {
        let path = state.join(FILE);
        let list = read_versioned::<File>(&path, FORMAT)?.map(|file| file.tokens).unwrap_or_default();
        Ok(Self { path, clock, list: Mutex::new(list) })
    }

    /// All of them, oldest first; expired ones, too.
    pub fn list(&self) -> Vec<Token> {
        self.lock().iter().map(|kept| kept.token.clone()).collect()
    }

    /// Makes one; returns its secret, which nobody can read again. Writes a file.
    pub(super) fn create(
        &self,
        name: String,
        scope: Scope,
        expires: Option<u64>,
    ) -> Result<(Token, String), Problem> {
        let secret = format!("{PREFIX}{}", super::login::random_hex::<32>()?);
        let id = super::login::random_hex::<8>()?;
        let token = Token { id, name, scope, created: self.clock.unix(), expires, last_used: None };
        let mut list = self.lock();
        if list.len() >= MAX_TOKENS {
            return Err(Problem::conflict(format!(
                "there are {MAX_TOKENS} tokens: revoke one that is not used any more"
            )));
        }
        let mut changed = list.clone();
        changed.push(Kept { token: token.clone(), hash: hash(&secret) });
        self.replace(&mut list, changed)?;
        Ok((token, secret))
    }

    /// Forgets one. False when there is none. Writes a file.
    pub(super) fn revoke(&self, id: &str) -> Result<bool, Problem> {
        let mut list = self.lock();
        let changed: Vec<Kept> = list.iter().filter(|kept| kept.token.id != id).cloned().collect();
        let found = changed.len() != list.len();
        if found {
            self.replace(&mut list, changed)?;
        }
        Ok(found)
    }

    /// The token with this secret, which is used now.
    pub(super) fn check(&self, secret: &str) -> Option<Token> {
        if !secret.starts_with(PREFIX) {
            return None;
        }
        // The secret is random and long: how far a comparison of hashes gets tells nothing.
        let hash = hash(secret);
        let now = self.clock.unix();
        let mut list = self.lock();
        let kept = list.iter().find(|kept| kept.hash == hash)?;
        if is_over(&kept.token, now) {
            return None;
        }
        let token = kept.token.clone();
        if token.last_used.is_none_or(|used| used.abs_diff(now) >= USED_AGAIN) {
            let mut changed = list.clone();
            for kept in changed.iter_mut().filter(|kept| kept.hash == hash) {
                kept.token.last_used = Some(now);
            }
            if let Err(error) = self.replace(&mut list, changed) {
                tracing::warn!(%error, "the use of a token could not be noted");
            }
        }
        Some(token)
    }

    /// Whether a token counts; it is not used by that.
    pub(super) fn is_valid(&self, id: &str) -> bool {
        let now = self.clock.unix();
        self.lock().iter().any(|kept| kept.token.id == id && !is_over(&kept.token, now))
    }

    /// On disk first: what is not there does not count.
    fn replace(&self, list: &mut Vec<Kept>, changed: Vec<Kept>) -> Result<(), StoreError> {
        let file = File { version: FORMAT, tokens: changed };
        write_versioned(&self.path, &file)?;
        *list = file.tokens;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_over(token: &Token, now: u64) -> bool {
    token.expires.is_some_and(|end| end <= now)
}

fn hash(secret: &str) -> String {
    to_hex(&sha256(&[secret.as_bytes()]))
}
