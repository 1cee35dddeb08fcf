//! What functions return, and what they say about it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use punktfunk_client::{Code, Error, advice};

use crate::abi;

/// The version of this interface: it grows when something is added, and nothing is ever
/// taken away or given another meaning.
pub const PUNKTFUNK_ABI_VERSION: u32 = 1;

/// Status: it worked.
pub const PUNKTFUNK_OK: u32 = 0;
/// Status: a pointer is NULL that must not be.
pub const PUNKTFUNK_NULL: u32 = 1;
/// Status: `struct_size` is not the size of a struct.
pub const PUNKTFUNK_SIZE: u32 = 2;
/// Status: a field is set that this version of the library does not know.
pub const PUNKTFUNK_NEWER: u32 = 3;
/// Status: a number is out of its range, or means nothing.
pub const PUNKTFUNK_VALUE: u32 = 4;
/// Status: a text is not UTF-8, a PIN not one of six digits, an address that of no host, or
/// a code that of no invitation.
pub const PUNKTFUNK_TEXT: u32 = 5;
/// Status: the buffer is too small; the size that is needed was written.
pub const PUNKTFUNK_BUFFER: u32 = 6;
/// Status: the handle is of another kind, or was closed.
pub const PUNKTFUNK_HANDLE: u32 = 7;
/// Status: the event is of another kind.
pub const PUNKTFUNK_KIND: u32 = 8;
/// Status: too many handles of a kind are open (4096).
pub const PUNKTFUNK_TOO_MANY: u32 = 9;
/// Status: nothing happened in time.
pub const PUNKTFUNK_TIMEOUT: u32 = 10;
/// Status: the session has ended.
pub const PUNKTFUNK_ENDED: u32 = 11;
/// Status: the host said no; `punktfunk_last_code` says why.
pub const PUNKTFUNK_REFUSED: u32 = 12;
/// Status: the host cannot be reached, or the connection was lost.
pub const PUNKTFUNK_CONNECT: u32 = 13;
/// Status: the host did not prove that it is the one: do not trust it.
pub const PUNKTFUNK_NOT_PROVEN: u32 = 14;
/// Status: the host does not keep to the protocol.
pub const PUNKTFUNK_PROTOCOL: u32 = 15;
/// Status: this machine failed: files, sockets, threads.
pub const PUNKTFUNK_SYSTEM: u32 = 16;
/// Status: the identity cannot be read, or key and certificate do not belong together.
pub const PUNKTFUNK_IDENTITY: u32 = 17;
/// Status: the library itself failed. What was asked for may be done by half.
pub const PUNKTFUNK_INTERNAL: u32 = 18;

/// Code: somebody wanted it to end; no code was given.
pub const PUNKTFUNK_CODE_NONE: u32 = 0;
/// Code: a message broke the rules.
pub const PUNKTFUNK_CODE_BAD_MESSAGE: u32 = 1;
/// Code: no version in common.
pub const PUNKTFUNK_CODE_VERSION: u32 = 2;
/// Code: the host does not know this client.
pub const PUNKTFUNK_CODE_NOT_PAIRED: u32 = 3;
/// Code: the owner has not opened a window for pairing.
pub const PUNKTFUNK_CODE_PAIRING_CLOSED: u32 = 4;
/// Code: the PIN or the secret is not the right one.
pub const PUNKTFUNK_CODE_WRONG_PIN: u32 = 5;
/// Code: too many attempts; later.
pub const PUNKTFUNK_CODE_TOO_MANY_TRIES: u32 = 6;
/// Code: no room for another session.
pub const PUNKTFUNK_CODE_BUSY: u32 = 7;
/// Code: no application has this number.
pub const PUNKTFUNK_CODE_NO_SUCH_APP: u32 = 8;
/// Code: no session has this id, or it is another client's.
pub const PUNKTFUNK_CODE_NO_SUCH_SESSION: u32 = 9;
/// Code: nothing that both sides can do.
pub const PUNKTFUNK_CODE_UNSUPPORTED: u32 = 10;
/// Code: it did not work.
pub const PUNKTFUNK_CODE_FAILED: u32 = 11;
/// Code: the owner took the client's access away.
pub const PUNKTFUNK_CODE_REVOKED: u32 = 12;
/// Code: the session was resumed elsewhere.
pub const PUNKTFUNK_CODE_REPLACED: u32 = 13;
/// Code: the application ended.
pub const PUNKTFUNK_CODE_APP_ENDED: u32 = 14;
/// Code: the host is being stopped.
pub const PUNKTFUNK_CODE_HOST_STOPPING: u32 = 15;
/// Code: a step took too long.
pub const PUNKTFUNK_CODE_TIMEOUT: u32 = 16;
/// Code: the owner does not allow this to the client.
pub const PUNKTFUNK_CODE_NOT_ALLOWED: u32 = 17;

/// Why a function does not return `PUNKTFUNK_OK`.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u32,
    code: Code,
    text: Cow<'static, str>,
}

impl Failure {
    pub fn new(status: u32, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: Code::None, text: text.into() }
    }

    pub fn value(what: &str) -> Self {
        Self::new(PUNKTFUNK_VALUE, format!("{what} is out of range"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::File { .. } | Error::Make(_) | Error::Start(_) | Error::Discovery(_) => PUNKTFUNK_SYSTEM,
            Error::Identity(_) => PUNKTFUNK_IDENTITY,
            Error::Connect(_) if error.is_other_host() => PUNKTFUNK_NOT_PROVEN,
            Error::Connect(_) | Error::Lost(_) => PUNKTFUNK_CONNECT,
            Error::Refused { .. } => PUNKTFUNK_REFUSED,
            Error::Protocol(_) => PUNKTFUNK_PROTOCOL,
            Error::TimedOut => PUNKTFUNK_TIMEOUT,
            Error::NotProven => PUNKTFUNK_NOT_PROVEN,
            Error::Input(_) => PUNKTFUNK_TEXT,
            Error::Range(_) => PUNKTFUNK_VALUE,
            Error::Ended => PUNKTFUNK_ENDED,
            _ => PUNKTFUNK_INTERNAL,
        };
        Self { status, code: error.code().unwrap_or_default(), text: error.to_string().into() }
    }
}

thread_local! {
    static LAST: RefCell<(u32, Cow<'static, str>)> = const { RefCell::new((0, Cow::Borrowed(""))) };
}

/// Runs what a function does, remembers why it failed, and stops panics.
pub(crate) fn guard(work: impl FnOnce() -> Result<(), Failure>) -> u32 {
    let failure = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return PUNKTFUNK_OK,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(PUNKTFUNK_INTERNAL, "the library failed; this is a bug of it"),
    };
    let Failure { status, code, text } = failure;
    // A thread that is being taken apart has nobody left to ask.
    let _ = LAST.try_with(|last| *last.borrow_mut() = (code as u32, text));
    status
}

/// The version of this interface that the library has: at least the one of the header
/// (`PUNKTFUNK_ABI_VERSION`), or the library is too old for the program.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_abi_version() -> u32 {
    PUNKTFUNK_ABI_VERSION
}

/// Copies into `buffer` why the last function of this thread that failed did so: text for
/// people, UTF-8, with a NUL, cut where the buffer is too small. Each thread has its own,
/// and a call that works leaves it as it is. Returns the bytes that all of it takes, with
/// its NUL.
///
/// # Safety
/// `buffer` is NULL or has `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_last_error(buffer: *mut c_char, size: usize) -> usize {
    let text = LAST.try_with(|last| last.borrow().1.clone()).unwrap_or_default();
    // SAFETY: the caller keeps what is asked for above.
    unsafe { abi::put_text(buffer, size, &text) }
}

/// The `PUNKTFUNK_CODE_...` with which the host said no, of the last function of this
/// thread that failed; `PUNKTFUNK_CODE_NONE` when it was not the host.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_last_code() -> u32 {
    LAST.try_with(|last| last.borrow().0).unwrap_or(PUNKTFUNK_CODE_NONE)
}

/// Copies into `buffer` what a user can do about a `PUNKTFUNK_CODE_...`: English, UTF-8,
/// with a NUL, cut where the buffer is too small. A code of a later version is answered
/// like `PUNKTFUNK_CODE_FAILED`. Returns the bytes that all of it takes, with its NUL.
///
/// # Safety
/// `buffer` is NULL or has `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_advice(code: u32, buffer: *mut c_char, size: usize) -> usize {
    // SAFETY: the caller keeps what is asked for above.
    unsafe { abi::put_text(buffer, size, advice(Code::from_number(code.into()))) }
}

/// The clock that times of this interface are of: microseconds, monotonic
/// (`CLOCK_MONOTONIC`).
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_now() -> u64 {
    punktfunk_client::now().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_status() {
        let status = guard(|| -> Result<(), Failure> { std::panic::resume_unwind(Box::new("bug")) });
        assert_eq!(status, PUNKTFUNK_INTERNAL);
        assert_eq!(punktfunk_last_code(), PUNKTFUNK_CODE_NONE);
    }

    #[test]
    fn a_refusal_keeps_its_code_and_text() {
        let no = Error::Refused { code: Code::Busy, text: "two play already".to_owned() };
        assert_eq!(guard(|| Err(no.into())), PUNKTFUNK_REFUSED);
        assert_eq!(punktfunk_last_code(), PUNKTFUNK_CODE_BUSY);
        let mut text = [1; 40];
        // SAFETY: the buffer has so many bytes.
        let size = unsafe { punktfunk_last_error(text.as_mut_ptr(), text.len()) };
        let text: Vec<u8> = text.iter().map(|byte| byte.to_ne_bytes()[0]).take(size).collect();
        assert_eq!(text, b"BUSY: two play already\0");
    }

    #[test]
    fn codes_are_those_of_the_protocol() {
        let ours = [
            PUNKTFUNK_CODE_NONE,
            PUNKTFUNK_CODE_BAD_MESSAGE,
            PUNKTFUNK_CODE_VERSION,
            PUNKTFUNK_CODE_NOT_PAIRED,
            PUNKTFUNK_CODE_PAIRING_CLOSED,
            PUNKTFUNK_CODE_WRONG_PIN,
            PUNKTFUNK_CODE_TOO_MANY_TRIES,
            PUNKTFUNK_CODE_BUSY,
            PUNKTFUNK_CODE_NO_SUCH_APP,
            PUNKTFUNK_CODE_NO_SUCH_SESSION,
            PUNKTFUNK_CODE_UNSUPPORTED,
            PUNKTFUNK_CODE_FAILED,
            PUNKTFUNK_CODE_REVOKED,
            PUNKTFUNK_CODE_REPLACED,
            PUNKTFUNK_CODE_APP_ENDED,
            PUNKTFUNK_CODE_HOST_STOPPING,
            PUNKTFUNK_CODE_TIMEOUT,
            PUNKTFUNK_CODE_NOT_ALLOWED,
        ];
        assert!(Code::ALL.into_iter().map(|code| code as u32).eq(ours));
    }
}
