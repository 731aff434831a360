//! What a path asks for, and which right that takes.

use hyper::Method;

use crate::fakes::Resource;

/// The paths that the fake knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Version,
    Health,
    /// Of all namespaces if there is none.
    Objects {
        resource: Resource,
        namespace: Option<&'a str>,
    },
    Pod {
        namespace: &'a str,
        name: &'a str,
    },
    Node {
        name: &'a str,
    },
    TokenReviews,
    AccessReviews,
    Unknown,
}

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["version"] => Self::Version,
            ["healthz" | "readyz" | "livez"] => Self::Health,
            ["api", "v1", "namespaces", namespace, "pods"] => Self::Objects {
                resource: Resource::Pods,
                namespace: Some(namespace),
            },
            ["api", "v1", "namespaces", namespace, "pods", name] => Self::Pod { namespace, name },
            ["api", "v1", "nodes", name] => Self::Node { name },
            ["apis", "authentication.k8s.io", "v1", "tokenreviews"] => Self::TokenReviews,
            [
                "apis",
                "authorization.k8s.io",
                "v1",
                "selfsubjectaccessreviews",
            ] => Self::AccessReviews,
            ["api", version, name] => Self::objects(version, name),
            ["apis", group, version, name] => Self::objects(&format!("{group}/{version}"), name),
            _ => Self::Unknown,
        }
    }

    fn objects(api_version: &str, name: &str) -> Self {
        match Resource::of(api_version, name) {
            Some(resource) => Self::Objects {
                resource,
                namespace: None,
            },
            None => Self::Unknown,
        }
    }

    /// Verb and resource as RBAC names them; none for what every account may ask.
    pub(super) fn right(
        &self,
        method: &Method,
        is_watch: bool,
    ) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Objects { resource, .. } if is_watch => Some(("watch", resource.name())),
            Self::Objects { resource, .. } => Some(("list", resource.name())),
            Self::Pod { .. } => Some(("get", "pods")),
            Self::Node { .. } => Some(("get", "nodes")),
            Self::TokenReviews if method == Method::POST => Some(("create", "tokenreviews")),
            _ => None,
        }
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        match self {
            Self::Pod { name, .. } | Self::Node { name } => Some(name),
            _ => None,
        }
    }
}
