//! How long to wait before a write that conflicted with another one is tried again.

/// A pause that grows with the number of conflicts, and is random so that writers do not collide
/// again.
pub(super) async fn pause(again: u32) {
    let [chance] = castellan_proto::random::<1>();
    let most = 2_u64 << again.min(5);
    let millis = u64::from(chance) * most / 255;
    tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
}
