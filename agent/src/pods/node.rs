//! What the API server knows of this node: where it stands and what it costs.

use protocol::pod::{Field, Text, instance_of_aws};
use serde::Deserialize;

use super::{
    client::{Api, Settings, collect, encoded},
    error::ApiError,
};
use crate::imds::Instance;

const RULE: &str = "the rule {apiGroups: [\"\"], resources: [nodes], verbs: [get]}";
/// A node lists its images and volumes.
const MOST_NODE_BYTES: usize = 2 * 1_024 * 1_024;

#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    spec: Field<Spec<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    labels: Field<Labels<'a>>,
}

#[derive(Default, Deserialize)]
struct Labels<'a> {
    #[serde(borrow, default, rename = "topology.kubernetes.io/zone")]
    zone: Field<Text<'a>>,
    #[serde(borrow, default, rename = "topology.kubernetes.io/region")]
    region: Field<Text<'a>>,
    #[serde(borrow, default, rename = "topology.k8s.aws/zone-id")]
    zone_id: Field<Text<'a>>,
    #[serde(borrow, default, rename = "node.kubernetes.io/instance-type")]
    instance_type: Field<Text<'a>>,
    #[serde(borrow, default, rename = "eks.amazonaws.com/capacityType")]
    eks_capacity: Field<Text<'a>>,
    #[serde(borrow, default, rename = "karpenter.sh/capacity-type")]
    karpenter_capacity: Field<Text<'a>>,
}

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow, default, rename = "providerID")]
    provider_id: Field<Text<'a>>,
}

/// Asks once what instance this node is, as its providerID and labels tell.
pub async fn instance_of_node(settings: &Settings) -> Result<Instance, ApiError> {
    let mut api = Api::new(settings.clone());
    api.refresh()?;
    let path = format!("/api/v1/nodes/{}", encoded(&settings.node_name));
    let answer = api.get(&path, RULE).await?;
    let body = collect(answer.into_body(), MOST_NODE_BYTES).await?;
    read(&body)
}

fn read(body: &[u8]) -> Result<Instance, ApiError> {
    let node: Node<'_> =
        serde_json::from_slice(body).map_err(|error| ApiError::Json(error.to_string()))?;
    // Odd labels are none; nothing counts them, as nothing repeats them.
    let odd = &mut 0;
    let labels = node.metadata.labels.take(odd).unwrap_or_default();
    let provider_id = node
        .spec
        .take(odd)
        .and_then(|spec| spec.provider_id.text(odd));
    let instance = provider_id.as_deref().and_then(instance_of_aws);
    let provider_zone = instance.and_then(|(zone, _)| zone);
    let capacity = labels
        .eks_capacity
        .text(odd)
        .filter(|text| !text.is_empty());
    let capacity = capacity.or_else(|| labels.karpenter_capacity.text(odd));
    Ok(Instance {
        instance_id: instance.map(|(_, id)| id.to_owned()),
        instance_type: labels.instance_type.owned(odd),
        zone: labels.zone.owned(odd).or(provider_zone.map(str::to_owned)),
        zone_id: labels.zone_id.owned(odd),
        region: labels.region.owned(odd),
        capacity_type: capacity.and_then(|text| capacity_type(&text)),
    })
}

/// EKS says `ON_DEMAND`, Karpenter `on-demand`.
fn capacity_type(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase().replace('_', "-");
    (!lower.is_empty()).then_some(lower)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::testing::{Server, reply};

    fn settings(server: &Server) -> Settings {
        Settings {
            api_server: Some(format!("http://{}", server.address)),
            ..Settings::in_cluster("node-1")
        }
    }

    fn of(labels: &serde_json::Value, provider_id: &str) -> Instance {
        let node = json!({"metadata": {"labels": labels}, "spec": {"providerID": provider_id}});
        read(node.to_string().as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn the_recorded_node_is_read() {
        let node = include_bytes!("../../tests/data/api/node-1.json");
        let server = Server::http(move |_| reply(200, &node[..])).await;
        let facts = instance_of_node(&settings(&server)).await.unwrap();
        let expected = Instance {
            instance_type: Some("m5.large".into()),
            zone: Some("zone-a".into()),
            region: Some("region-1".into()),
            ..Instance::default()
        };
        assert_eq!(facts, expected);
        assert_eq!(server.seen()[0].path, "/api/v1/nodes/node-1");
    }

    #[test]
    fn an_instance_of_ec2_is_told_by_its_provider_id() {
        let labels = json!({"topology.k8s.aws/zone-id": "use1-az1", "eks.amazonaws.com/capacityType": "ON_DEMAND"});
        let facts = of(&labels, "aws:///us-east-1a/i-0abc");
        assert_eq!(facts.instance_id.as_deref(), Some("i-0abc"));
        assert_eq!(facts.zone.as_deref(), Some("us-east-1a"));
        assert_eq!(facts.zone_id.as_deref(), Some("use1-az1"));
        assert_eq!(facts.capacity_type.as_deref(), Some("on-demand"));
        let facts = of(
            &json!({"karpenter.sh/capacity-type": "spot"}),
            "gce://p/z/n",
        );
        assert_eq!(facts.capacity_type.as_deref(), Some("spot"));
        assert_eq!((facts.instance_id, facts.zone), (None, None));
        for odd in [
            "",
            "aws://",
            "aws:///",
            "aws:///us-east-1a/fargate-ip-1",
            "i-0abc",
        ] {
            assert_eq!(of(&json!({}), odd).instance_id, None, "{odd}");
        }
        assert_eq!(of(&json!([7]), "aws:////i-1").zone, None);
    }

    #[tokio::test]
    async fn refusals_say_what_is_missing() {
        let server = Server::http(|_| reply(403, r#"{"message":"nodes is forbidden"}"#)).await;
        let error = instance_of_node(&settings(&server)).await.unwrap_err();
        assert_eq!(error.kind(), "forbidden");
        let text = error.to_string();
        assert!(
            text.contains("[nodes]") && text.contains("nodes is forbidden"),
            "{text}"
        );
        for (status, body, kind) in [
            (401, "", "unauthorized"),
            (404, "{", "server"),
            (200, "{", "json"),
            (200, "[]", "json"),
            (429, "", "throttled"),
        ] {
            let server = Server::http(move |_| reply(status, body)).await;
            let error = instance_of_node(&settings(&server)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
