use toolgate_gate::permit::Permit;

fn twice(permit: Permit) -> (Permit, Permit) {
    (permit.clone(), permit)
}

fn main() {
    let _ = twice;
}
