use toolgate_gate::permit::Clearance;
use toolgate_model::{Digest, Epoch, PolicyVersion};

fn main() {
    let _ = Clearance {
        tool: "stripe.refund".parse().unwrap(),
        arguments: Digest::of(b""),
        policy_version: PolicyVersion(Digest::of(b"")),
        epoch: Epoch(1),
    };
}
