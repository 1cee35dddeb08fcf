//! Runs the broker; the work is in the library.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use punktfunk_inputd::args::{self, Args, HELP};
use punktfunk_inputd::server::Server;
use punktfunk_inputd::{access::Access, socket, uinput};

fn main() -> ExitCode {
    let done = match args::parse(std::env::args().skip(1)) {
        Ok(Args::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Args::Version) => {
            println!("punktfunk-inputd {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Ok(Args::Run { socket, access, give_nodes, end_with_stdin }) => listen(socket.as_deref(), access)
            .and_then(|mut server| {
                if give_nodes {
                    server.give_nodes();
                }
                run(server, socket.as_deref(), end_with_stdin)
            }),
        Err(error) => Err(anyhow::Error::msg(error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("punktfunk-inputd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn listen(path: Option<&Path>, access: Access) -> anyhow::Result<Server<uinput::Kernel>> {
    let listener = match path {
        Some(path) => socket::listen_at(path)?,
        None => socket::activated()?,
    };
    Ok(Server::new(listener, access, uinput::Kernel)?)
}

fn run(mut server: Server<uinput::Kernel>, path: Option<&Path>, end_with_stdin: bool) -> anyhow::Result<()> {
    if end_with_stdin {
        server.end_with(std::io::stdin())?;
    }
    // Not an error: a module may be loaded later, and hosts are told when they ask.
    if let Err(refusal) = uinput::probe() {
        eprintln!("punktfunk-inputd: {refusal}");
    }
    server.run()?;
    if let Some(path) = path {
        // Left behind it would do no harm.
        let _gone = std::fs::remove_file(path);
    }
    Ok(())
}
