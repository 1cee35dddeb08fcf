//! Session keys that were used: under a key that comes again, nonces would come
//! again. Counters begin at 0 with each host, so this must outlive the host.

use super::LaunchError;

/// Remembers keys, also for the hosts after this one.
pub trait KeyLedger: Send + Sync {
    /// True the first time a key comes, false when it comes again. When this
    /// returns, it is remembered. The error is for a person to read.
    fn claim(&self, key: &[u8; 16]) -> Result<bool, String>;
}

/// Takes a session key for use, once.
pub(super) fn claim(ledger: &dyn KeyLedger, key: &[u8; 16]) -> Result<(), LaunchError> {
    match ledger.claim(key) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let why = "the client sent the keys of an earlier session again: start it afresh";
            Err(LaunchError::Failed(why.into()))
        }
        Err(why) => Err(LaunchError::Failed(why)),
    }
}
