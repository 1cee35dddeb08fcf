//! What can be played: applications that are built in, those of the settings, those the
//! owner added, and those that the launchers of this machine have installed.
//!
//! It reads other programs' files and never writes them. It starts nothing: the sessions
//! do, with what it says.
