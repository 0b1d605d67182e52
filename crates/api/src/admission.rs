//! The ways in beside the gate's own tokens.
//!
//! A gate on somebody's own machine may take whoever comes without a token for one of its agents
//! (`[mcp] anonymous`). Nobody is let in who *tries* a token that does not hold.
//!
//! Must not know: configuration files, whether the address is one that only this machine reaches.

use toolgate_model::KeyId;

/// Who may come in without a token of the gate's own. By default nobody.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The credential of whoever comes to `/mcp` without any.
    pub anonymous: Option<KeyId>,
}
