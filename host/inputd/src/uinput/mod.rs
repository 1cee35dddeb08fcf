//! Real devices: `/dev/uinput`.

mod device;

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

use punktfunk_inputd_ipc::Refusal;
use rustix::io::Errno;

use crate::device::{Backend, Spec};

pub use device::Uinput;

/// Makes devices with `/dev/uinput`, which is opened anew for each.
#[derive(Debug, Default)]
pub struct Kernel;

impl Backend for Kernel {
    type Device = Uinput;

    fn create(&mut self, spec: &Spec) -> Result<Uinput, Refusal> {
        let node = open().map_err(|error| refusal(&error))?;
        Uinput::create(node, spec).map_err(|error| refusal(&error))
    }
}

fn open() -> io::Result<File> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    File::options().read(true).write(true).custom_flags(flags).open("/dev/uinput")
}

/// Whether pads could be made now.
pub fn probe() -> Result<(), Refusal> {
    open().map(drop).map_err(|error| refusal(&error))
}

fn refusal(error: &io::Error) -> Refusal {
    match Errno::from_io_error(error) {
        // A node without the module behind it says ENODEV or ENXIO.
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => Refusal::NoUinput,
        Some(Errno::ACCESS | Errno::PERM) => Refusal::NoPermission,
        other => Refusal::System(other.map_or(0, |errno| errno.raw_os_error().unsigned_abs() as u16)),
    }
}
