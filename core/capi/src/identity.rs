//! Who a client is.

use std::ffi::c_char;
use std::path::Path;

use punktfunk_client::{Client, Identity, load_or_make_identity, make_identity};

use crate::abi::{self, Place};
use crate::error::{Failure, guard};
use crate::handle::{self, PunktfunkClient};

/// Bytes of an identity.
pub const PUNKTFUNK_IDENTITY_SIZE: usize = 32;

/// A client whose identity is kept in `folder`, and made there when there is none. The
/// file holds a private key, and only its owner may read it. `name` is what owners of
/// hosts see, cut to 64 bytes. `client` gets a handle to be closed with
/// `punktfunk_client_close`, or NULL.
///
/// # Safety
/// `folder` and `name` are NULL or end with a NUL; `client` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_client_load(
    folder: *const c_char,
    name: *const c_char,
    client: *mut *mut PunktfunkClient,
) -> u32 {
    guard(|| {
        // SAFETY: the caller keeps what is asked for above.
        let (client, folder, name) = unsafe { (place(client)?, abi::text(folder)?, abi::text(name)?) };
        handle::room::<PunktfunkClient>()?;
        client.write(handle::add(Client::new(load_or_make_identity(Path::new(folder))?, name)));
        Ok(())
    })
}

/// A client with a new identity, which nobody keeps but the caller:
/// `punktfunk_client_certificate` and `punktfunk_client_key` tell it. The rest is as with
/// `punktfunk_client_load`.
///
/// # Safety
/// `name` is NULL or ends with a NUL; `client` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_client_make(
    name: *const c_char,
    client: *mut *mut PunktfunkClient,
) -> u32 {
    guard(|| {
        // SAFETY: the caller keeps what is asked for above.
        let (client, name) = unsafe { (place(client)?, abi::text(name)?) };
        handle::room::<PunktfunkClient>()?;
        client.write(handle::add(Client::new(make_identity()?, name)));
        Ok(())
    })
}

/// A client with an identity that the caller kept: a certificate in DER and its private
/// key in PKCS#8 DER. Both are copied. The rest is as with `punktfunk_client_load`.
///
/// # Safety
/// `certificate` is NULL or has `certificate_size` bytes, `key` is NULL or has `key_size`;
/// `name` is NULL or ends with a NUL; `client` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_client_from_bytes(
    certificate: *const u8,
    certificate_size: usize,
    key: *const u8,
    key_size: usize,
    name: *const c_char,
    client: *mut *mut PunktfunkClient,
) -> u32 {
    guard(|| {
        // SAFETY: the caller keeps what is asked for above.
        let (client, name, certificate, key) = unsafe {
            let certificate = abi::bytes(certificate, certificate_size)?;
            (place(client)?, abi::text(name)?, certificate, abi::bytes(key, key_size)?)
        };
        handle::room::<PunktfunkClient>()?;
        let identity = Identity::from_der(certificate, key).map_err(punktfunk_client::Error::from)?;
        client.write(handle::add(Client::new(identity, name)));
        Ok(())
    })
}

/// Where a handle goes; NULL until there is one.
///
/// # Safety
/// As [`Place::new`].
unsafe fn place<'a>(client: *mut *mut PunktfunkClient) -> Result<Place<'a, *mut PunktfunkClient>, Failure> {
    // SAFETY: as above.
    unsafe { Place::new(client, std::ptr::null_mut()) }
}

/// Copies the client's certificate (DER) into `buffer`. `size` says how much room is
/// there, and gets the size of the certificate.
///
/// # Safety
/// `size` is NULL or writable; `buffer` is NULL or has so many writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_client_certificate(
    client: *const PunktfunkClient,
    buffer: *mut u8,
    size: *mut usize,
) -> u32 {
    guard(|| {
        let client = handle::at(client)?;
        // SAFETY: the caller keeps what is asked for above.
        unsafe { abi::put_bytes(buffer, size, client.identity().certificate()) }
    })
}

/// Copies the client's private key (PKCS#8 DER) into `buffer`. `size` says how much room
/// is there, and gets the size of the key. Who has it is this client: keep it well.
///
/// # Safety
/// `size` is NULL or writable; `buffer` is NULL or has so many writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_client_key(
    client: *const PunktfunkClient,
    buffer: *mut u8,
    size: *mut usize,
) -> u32 {
    guard(|| {
        let client = handle::at(client)?;
        // SAFETY: the caller keeps what is asked for above.
        unsafe { abi::put_bytes(buffer, size, client.identity().key_pkcs8()) }
    })
}

/// Copies the client's identity into `identity`: the SHA-256 of its public key, as a host
/// shows it.
///
/// # Safety
/// `identity` is NULL or has `PUNKTFUNK_IDENTITY_SIZE` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_client_identity(client: *const PunktfunkClient, identity: *mut u8) -> u32 {
    guard(|| {
        let hash = handle::at(client)?.identity().hash();
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Place::new(identity.cast::<[u8; PUNKTFUNK_IDENTITY_SIZE]>(), hash)? };
        Ok(())
    })
}

/// Closes the handle. Sessions of the client go on.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_client_close(client: *mut PunktfunkClient) -> u32 {
    guard(|| handle::remove(client).map(drop))
}
