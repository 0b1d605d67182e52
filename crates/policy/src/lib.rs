//! Policy language: text, parsed, checked, compiled, decided
