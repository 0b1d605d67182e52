use toolgate_gate::permit::{Permit, Travel};
use toolgate_model::Timestamp;

fn twice(permit: Permit, one: Travel, two: Travel) {
    let now = Timestamp::from_millis(0);
    let _ = permit.dispatch(now, serde_json::json!({}), one);
    let _ = permit.dispatch(now, serde_json::json!({}), two);
}

fn main() {
    let _ = twice;
}
