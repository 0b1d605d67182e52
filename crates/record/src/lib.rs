//! Append-only record: Merkle log, checkpoints, receipts, offline verifier
