//! Keys, fingers, pens and text on a real seat, as its applications see them: clients of our
//! own that write down each event in its order.

mod client;
mod keys;
mod pen;
mod seat;
mod text;
mod touch;
