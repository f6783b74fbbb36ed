//! The program: see the library beside it, which is apart so that its parsers can be fuzzed.

use std::process::ExitCode;

/// Gives memory back after a burst and is fast under many small objects.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    repute::main()
}
