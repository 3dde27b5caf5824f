//! The `onsale` command.

use std::process::ExitCode;

/// Requests allocate and free in small pieces on many threads: what mimalloc is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    onsale::commands::execute()
}
