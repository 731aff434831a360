//! Where a pod's node is, from what its node's object says.

/// Zone and instance of `aws:///us-east-1a/i-0abc`; `None` of anything that is no instance, as Fargate is.
pub fn instance_of_aws(provider_id: &str) -> Option<(Option<&str>, &str)> {
    let (zone, id) = provider_id.strip_prefix("aws://")?.rsplit_once('/')?;
    if !id.starts_with("i-") {
        return None;
    }
    let zone = zone.rsplit('/').next().unwrap_or_default();
    Some(((!zone.is_empty()).then_some(zone), id))
}
