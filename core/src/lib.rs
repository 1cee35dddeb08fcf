//! All protocol and media-transport logic of punktfunk.
//!
//! Sans-IO: nothing here touches sockets, files, the environment, threads or a
//! clock. Time comes in as an argument ([`time::Time`]), bytes come in as slices,
//! and what should happen next is returned. The host (`punktfunk-host`) and the
//! clients (`punktfunk-probe`) are thin shells around these machines.
#![forbid(unsafe_code)]
// Sans-IO, enforced: the lists are in core/clippy.toml.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stdout, clippy::print_stderr)]

pub mod bytes;
pub mod crypto;
pub mod enet;
pub mod gamestream;
pub mod input;
pub mod native;
pub mod replay;
pub mod testcard;
pub mod time;
