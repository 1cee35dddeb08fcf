//! Why does it not work: probes of this machine, each with what it saw and what mends it,
//! and the support bundle.
//!
//! Called by the command line and by the API. Probes only look; the few that can mend
//! something do so when they are asked to.
