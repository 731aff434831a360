//! What a path asks for, and which right that takes.

use hyper::Method;

/// The paths that the fake knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Version,
    Health,
    /// Of all namespaces if there is none.
    Pods {
        namespace: Option<&'a str>,
    },
    Pod {
        namespace: &'a str,
        name: &'a str,
    },
    Nodes,
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
            ["api", "v1", "pods"] => Self::Pods { namespace: None },
            ["api", "v1", "namespaces", namespace, "pods"] => Self::Pods {
                namespace: Some(namespace),
            },
            ["api", "v1", "namespaces", namespace, "pods", name] => Self::Pod { namespace, name },
            ["api", "v1", "nodes"] => Self::Nodes,
            ["api", "v1", "nodes", name] => Self::Node { name },
            ["apis", "authentication.k8s.io", "v1", "tokenreviews"] => Self::TokenReviews,
            [
                "apis",
                "authorization.k8s.io",
                "v1",
                "selfsubjectaccessreviews",
            ] => Self::AccessReviews,
            _ => Self::Unknown,
        }
    }

    /// Verb and resource as RBAC names them; none for what every account may ask.
    pub(super) fn right(
        &self,
        method: &Method,
        is_watch: bool,
    ) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Pods { .. } if is_watch => Some(("watch", "pods")),
            Self::Pods { .. } => Some(("list", "pods")),
            Self::Pod { .. } => Some(("get", "pods")),
            Self::Nodes if is_watch => Some(("watch", "nodes")),
            Self::Nodes => Some(("list", "nodes")),
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
