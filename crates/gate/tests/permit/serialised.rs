use toolgate_gate::permit::Permit;

fn send(permit: &Permit) -> String {
    serde_json::to_string(permit).unwrap()
}

fn main() {
    let _ = send;
}
