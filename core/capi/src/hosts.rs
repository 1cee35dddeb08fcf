//! Hosts: found, paired with, asked for their applications.

use std::ffi::c_char;
use std::time::Duration;

use punktfunk_client::messages::Apps;
use punktfunk_client::{Client, Found, Paired};

use crate::abi::{self, Out, OutList, plain};
use crate::error::{Failure, PUNKTFUNK_NULL, guard};
use crate::handle::{self, PunktfunkClient};

/// Bytes of a name in a struct, with its NUL.
pub const PUNKTFUNK_NAME_SIZE: usize = 260;
/// Bytes of an address in a struct, with its NUL.
pub const PUNKTFUNK_ADDRESS_SIZE: usize = 64;
/// Most addresses of a host.
pub const PUNKTFUNK_MAX_ADDRESSES: usize = 8;

/// Access: to see and to hear.
pub const PUNKTFUNK_ACCESS_VIEW: u32 = 1;
/// Access: pointer, touch and pen.
pub const PUNKTFUNK_ACCESS_POINTER: u32 = 2;
/// Access: keyboard and text.
pub const PUNKTFUNK_ACCESS_KEYBOARD: u32 = 4;
/// Access: gamepads.
pub const PUNKTFUNK_ACCESS_PADS: u32 = 8;
/// Access: the clipboard, both ways.
pub const PUNKTFUNK_ACCESS_CLIPBOARD: u32 = 16;
/// Access: the microphone.
pub const PUNKTFUNK_ACCESS_MICROPHONE: u32 = 32;
/// Access: to launch and to quit applications.
pub const PUNKTFUNK_ACCESS_LAUNCH: u32 = 64;
/// Access: to put the machine to sleep, and the like.
pub const PUNKTFUNK_ACCESS_POWER: u32 = 128;
/// Access: to change the host's settings.
pub const PUNKTFUNK_ACCESS_MANAGE: u32 = 256;

/// A host that announces itself on the local network. Anybody can announce anything: it
/// is good for knowing where to try, and for nothing else.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkHost {
    /// `sizeof(PunktfunkHost)`.
    pub struct_size: u32,
    /// How many addresses there are.
    pub address_count: u32,
    /// The first 8 bytes of its identity, as it says.
    pub fingerprint: [u8; 8],
    /// What it calls itself: UTF-8 with a NUL.
    pub name: [c_char; PUNKTFUNK_NAME_SIZE],
    /// Addresses with ports, IPv4 first, each with a NUL.
    pub addresses: [[c_char; PUNKTFUNK_ADDRESS_SIZE]; PUNKTFUNK_MAX_ADDRESSES],
}
plain!(PunktfunkHost { struct_size, address_count, fingerprint, name, addresses });

/// A host that proved that it knows the PIN or the secret: what to keep of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkPaired {
    /// `sizeof(PunktfunkPaired)`.
    pub struct_size: u32,
    /// What its owner allows: `PUNKTFUNK_ACCESS_...` bits.
    pub access: u32,
    /// Its identity, for `PunktfunkConfig`.
    pub host: [u8; 32],
    /// Where it was: an address with a port and a NUL.
    pub address: [c_char; PUNKTFUNK_ADDRESS_SIZE],
}
plain!(PunktfunkPaired { struct_size, access, host, address });

/// An application of a host.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkApp {
    /// `sizeof(PunktfunkApp)`.
    pub struct_size: u32,
    /// Its number, for `PunktfunkConfig`.
    pub id: u32,
    /// 1 when it runs for this client, else 0.
    pub running: u32,
    /// Its title: UTF-8 with a NUL.
    pub title: [c_char; PUNKTFUNK_NAME_SIZE],
}
plain!(PunktfunkApp { struct_size, id, running, title });

/// Looks for hosts on the local network, and returns after `timeout_ms` milliseconds.
/// `count` says how many structs there are at `hosts`, the first of which says its
/// `struct_size`, and gets how many hosts were found, at most 64. With `PUNKTFUNK_BUFFER`
/// as many as there is room for are filled in.
///
/// # Safety
/// `count` is NULL or writable; `hosts` is NULL or has so many structs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_discover(
    timeout_ms: u32,
    hosts: *mut PunktfunkHost,
    count: *mut usize,
) -> u32 {
    guard(|| {
        // SAFETY: the caller keeps what is asked for above.
        let list = unsafe { OutList::new(hosts, count)? };
        let found = Client::discover(Duration::from_millis(timeout_ms.into()))?;
        list.write(found.iter().map(told))
    })
}

fn told(found: &Found) -> PunktfunkHost {
    let mut addresses = [[0; PUNKTFUNK_ADDRESS_SIZE]; PUNKTFUNK_MAX_ADDRESSES];
    let mut count = 0;
    for (to, address) in addresses.iter_mut().zip(&found.addresses) {
        *to = abi::fixed(&address.to_string());
        count += 1;
    }
    PunktfunkHost {
        struct_size: 0,
        address_count: count,
        fingerprint: found.fingerprint,
        name: abi::fixed(&found.name),
        addresses,
    }
}

/// Pairs with the host at `address` (a name or a number, with port 9777 where it has none)
/// by the six digits that it shows. Takes up to a minute. Keep what `paired` gets.
///
/// # Safety
/// `address` and `pin` are NULL or end with a NUL; `paired` is NULL or a struct of
/// `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_pair_pin(
    client: *const PunktfunkClient,
    address: *const c_char,
    pin: *const c_char,
    paired: *mut PunktfunkPaired,
) -> u32 {
    guard(|| {
        let client = handle::at(client)?;
        // SAFETY: the caller keeps what is asked for above.
        let (address, pin, out) = unsafe { (abi::text(address)?, abi::text(pin)?, Out::new(paired)?) };
        out.write(&proven(&client.pair_pin(Client::resolve(address)?, pin)?));
        Ok(())
    })
}

/// Pairs by the text of the host's QR code. The rest is as with `punktfunk_pair_pin`.
///
/// # Safety
/// `text` is NULL or ends with a NUL; `paired` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_pair_qr(
    client: *const PunktfunkClient,
    text: *const c_char,
    paired: *mut PunktfunkPaired,
) -> u32 {
    guard(|| {
        let client = handle::at(client)?;
        // SAFETY: the caller keeps what is asked for above.
        let (text, out) = unsafe { (abi::text(text)?, Out::new(paired)?) };
        out.write(&proven(&client.pair_secret(text)?));
        Ok(())
    })
}

fn proven(paired: &Paired) -> PunktfunkPaired {
    PunktfunkPaired {
        struct_size: 0,
        access: paired.access.0.into(),
        host: paired.host,
        address: abi::fixed(&paired.address.to_string()),
    }
}

/// The applications of a paired host. `count` says how many structs there are at `apps`,
/// the first of which says its `struct_size`, and gets how many applications there are, at
/// most 512. With `PUNKTFUNK_BUFFER` as many as there is room for are filled in.
///
/// # Safety
/// `address` is NULL or ends with a NUL; `host` is NULL or has `PUNKTFUNK_IDENTITY_SIZE`
/// bytes; `count` is NULL or writable; `apps` is NULL or has so many structs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_apps(
    client: *const PunktfunkClient,
    address: *const c_char,
    host: *const u8,
    apps: *mut PunktfunkApp,
    count: *mut usize,
) -> u32 {
    guard(|| {
        let client = handle::at(client)?;
        // SAFETY: the caller keeps what is asked for above.
        let (address, host, list) =
            unsafe { (abi::text(address)?, abi::array(host), OutList::new(apps, count)?) };
        let host = host.ok_or_else(|| Failure::new(PUNKTFUNK_NULL, "the host's identity is NULL"))?;
        let apps = client.apps(Client::resolve(address)?, host)?;
        list.write(listed(&apps))
    })
}

/// A list of applications as C has it.
pub(crate) fn listed(apps: &Apps) -> impl ExactSizeIterator<Item = PunktfunkApp> {
    apps.apps.iter().map(|app| PunktfunkApp {
        struct_size: 0,
        id: app.id,
        running: (apps.running == Some(app.id)).into(),
        title: abi::fixed(&app.title),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use punktfunk_client::Access;

    #[test]
    fn access_bits_are_those_of_the_protocol() {
        let ours = [
            PUNKTFUNK_ACCESS_VIEW,
            PUNKTFUNK_ACCESS_POINTER,
            PUNKTFUNK_ACCESS_KEYBOARD,
            PUNKTFUNK_ACCESS_PADS,
            PUNKTFUNK_ACCESS_CLIPBOARD,
            PUNKTFUNK_ACCESS_MICROPHONE,
            PUNKTFUNK_ACCESS_LAUNCH,
            PUNKTFUNK_ACCESS_POWER,
            PUNKTFUNK_ACCESS_MANAGE,
        ];
        assert!(Access::NAMES.into_iter().map(|(_, bit)| u32::from(bit.0)).eq(ours));
    }

    #[test]
    fn a_found_host_is_cut_to_its_struct() {
        let address = "[fd00:1111:2222:3333:4444:5555:6666:7777]:65535".parse().expect("address");
        let found = Found { name: "ä".repeat(300), addresses: vec![address; 20], fingerprint: [7; 8] };
        let host = told(&found);
        assert_eq!((host.address_count, host.fingerprint), (8, [7; 8]));
        let text = |chars: &[c_char]| {
            let bytes = chars.iter().map(|byte| byte.to_ne_bytes()[0]).take_while(|&byte| byte != 0);
            String::from_utf8(bytes.collect()).expect("UTF-8")
        };
        assert_eq!(text(&host.addresses[7]), address.to_string());
        assert_eq!(text(&host.name), "ä".repeat(129), "259 bytes would cut a character");
    }
}
