//! Stores behind the gate's port: memory and SQLite
