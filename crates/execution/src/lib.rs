//! The state machine of one invocation, without I/O
