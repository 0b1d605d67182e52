//! Test kit: refund desk, fake clock, corpus runner
