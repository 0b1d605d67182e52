//! The log as others see it: written, tampered with in every way, exported, and proved.
//!
//! One log of 300 records under six checkpoints is built once (`sample`); each test changes a copy
//! of it the way an attacker with the store in hand would, and says where that must be found.

#[cfg(test)]
mod sample;

#[cfg(test)]
mod bundle;
#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod receipt;
