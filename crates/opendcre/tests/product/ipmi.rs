//! IPMI against implementations that others wrote, in both directions: our client with OpenIPMI's `ipmi_sim` and
//! pyghmi's BMC, our emulated BMC with ipmitool, FreeIPMI's programs and pyghmi.

mod emulated;
mod event_log;
mod gateway;
mod simulated;
mod simulator;
mod tool;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};

/// An address for a BMC that nobody else uses. Its port is below those that the system hands out.
fn bmc_address() -> SocketAddr {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(10_623);
    SocketAddr::from((simulator::host(), NEXT_PORT.fetch_add(1, Ordering::Relaxed)))
}
