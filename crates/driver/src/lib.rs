//! The loop that moves invocations: load, step, commit, perform
