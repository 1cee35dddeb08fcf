//! Sockets for media: the [`Transport`] seam with a UDP and an in-memory side,
//! batches sent by GSO, `sendmmsg` or `send` (whichever the kernel grants),
//! `recvmmsg` into reused buffers, and a sender thread paced to the link.
//!
//! Nothing here knows a protocol: datagrams are bytes with an address.

mod addr;
mod batch;
mod clock;
mod histogram;
mod loopback;
mod pacer;
mod recv;
mod sender;
mod sys;
mod transport;
mod udp;

pub use addr::normalised;
pub use batch::{Batch, BufferPool, Datagrams};
pub use clock::{monotonic_nanos, thread_cpu_nanos, try_real_time, wake_on_time};
pub use histogram::{Counts, Histogram, Quantiles};
pub use loopback::{Loopback, Loss};
pub use pacer::{Forecast, Limits, Pace, Pacer};
pub use recv::{Received, RecvBatch};
pub use sender::{Destination, PacedSender, SenderConfig, SenderGauge, SenderStats, Submit, WIRE_OVERHEAD};
pub use transport::{Error, Route, Sent, Transport};
pub use udp::{SendPath, UdpOptions, UdpTransport, bind_udp, bind_udp_to};
