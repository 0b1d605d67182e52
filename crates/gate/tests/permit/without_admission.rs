use toolgate_execution::Invocation;
use toolgate_gate::permit::{Clearance, Permit};

fn early(clearance: Clearance, proposed: &Invocation) -> Permit {
    clearance.permit(proposed).unwrap()
}

fn main() {
    let _ = early;
}
