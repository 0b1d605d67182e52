//! Joins identity, policy and execution: facts and call to decision to permit
