//! Nouns of the gate and their parsing
