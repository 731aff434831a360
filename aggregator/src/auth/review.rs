//! `TokenReview`: what the API server is asked about a token, and what its answer means.

use protocol::RefusalKind;
use serde::{Deserialize, Serialize};

use super::{Who, token::Token};
use crate::{ingest::Refused, printable};

/// Where it is asked.
pub(super) const PATH: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
/// The node of the pod that a token is bound to.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// Longest text of the API server that is handed on.
const MOST_TOLD: usize = 200;

#[derive(Serialize)]
struct Question<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'a str,
    kind: &'a str,
    spec: QuestionSpec<'a>,
}

#[derive(Serialize)]
struct QuestionSpec<'a> {
    token: &'a str,
    audiences: [&'a str; 1],
}

#[derive(Deserialize)]
struct Answer {
    kind: Kind,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
enum Kind {
    TokenReview,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    authenticated: bool,
    user: User,
    audiences: Vec<String>,
    error: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    username: String,
    extra: Extra,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Extra {
    #[serde(rename = "authentication.kubernetes.io/node-name")]
    node_name: Vec<String>,
}

/// What is asked of every token.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Audience that it must be for.
    pub(super) audience: String,
    /// User that it must be of; any, if none is named.
    pub(super) user: Option<String>,
}

impl Rules {
    /// The question, as JSON.
    pub(super) fn question(&self, token: &Token<'_>) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Question {
            api_version: "authentication.k8s.io/v1",
            kind: "TokenReview",
            spec: QuestionSpec {
                token: token.secret(),
                audiences: [&self.audience],
            },
        })
    }

    /// What the answer means: a verdict, or no `TokenReview` at all.
    pub(super) fn verdict(&self, answer: &[u8]) -> serde_json::Result<Result<Who, Refused>> {
        let Answer {
            kind: Kind::TokenReview,
            status,
        } = serde_json::from_slice(answer)?;
        Ok(self.judge(&status))
    }

    fn judge(&self, status: &Status) -> Result<Who, Refused> {
        let audience = &self.audience;
        if !status.authenticated {
            let told = printable(&status.error, MOST_TOLD);
            let reason = format!("authorization: the cluster does not believe the token: {told}");
            return Err(Refused::new(RefusalKind::Unauthorized, reason));
        }
        // A server that knows no audiences says nothing of them, and has not checked them.
        if !status.audiences.contains(audience) {
            let reason = format!("authorization: the token is not for the audience {audience}");
            return Err(Refused::new(RefusalKind::Unauthorized, reason));
        }
        let user = printable(&status.user.username, MOST_TOLD);
        if self.user.as_ref().is_some_and(|allowed| *allowed != user) {
            let reason = format!("authorization: {user} is not the agents' service account");
            return Err(Refused::new(RefusalKind::Forbidden, reason));
        }
        match &status.user.extra.node_name[..] {
            [node] if !node.is_empty() => Ok(Who::Node(node.as_str().into())),
            _ => {
                let reason = format!(
                    "authorization: the token of {user} tells no node ({NODE_NAME}): use a projected \
                    token of the agent's own pod, in Kubernetes 1.30 or newer"
                );
                Err(Refused::new(RefusalKind::Forbidden, reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = include_str!("testdata/tokenreview-ok.json");
    const BAD: &str = include_str!("testdata/tokenreview-bad.json");
    const WRONG_AUDIENCE: &str = include_str!("testdata/tokenreview-wrong-audience.json");

    fn rules(audience: &str, user: Option<&str>) -> Rules {
        Rules {
            audience: audience.to_owned(),
            user: user.map(str::to_owned),
        }
    }

    fn verdict(rules: &Rules, answer: &str) -> Result<Who, (RefusalKind, String)> {
        let verdict = rules.verdict(answer.as_bytes()).unwrap();
        verdict.map_err(|refused| (refused.refusal.kind, refused.refusal.reason))
    }

    #[test]
    fn a_real_answer_tells_the_node() {
        let node = Ok(Who::Node("node-1".into()));
        assert_eq!(verdict(&rules("podledger", None), OK), node);
        let user = Some("system:serviceaccount:demo:agent");
        assert_eq!(verdict(&rules("podledger", user), OK), node);
    }

    #[test]
    fn real_refusals() {
        let (kind, reason) = verdict(&rules("podledger", None), BAD).unwrap_err();
        assert_eq!(kind, RefusalKind::Unauthorized);
        assert!(reason.ends_with("invalid bearer token"), "{reason}");
        let (kind, reason) = verdict(&rules("other", None), WRONG_AUDIENCE).unwrap_err();
        assert_eq!(kind, RefusalKind::Unauthorized);
        assert!(reason.contains("podledger"), "{reason}");
    }

    #[test]
    fn what_is_believed_may_still_not_write() {
        let (kind, _) = verdict(&rules("other", None), OK).unwrap_err();
        assert_eq!(kind, RefusalKind::Unauthorized, "the audience is another");
        let none = OK.replace(
            "\"audiences\": [\n      \"podledger\"\n    ]\n  }\n}",
            "\"x\": 0}}",
        );
        assert!(none != OK && verdict(&rules("podledger", None), &none).is_err());
        let other = rules("podledger", Some("system:serviceaccount:demo:other"));
        let (kind, reason) = verdict(&other, OK).unwrap_err();
        assert_eq!(kind, RefusalKind::Forbidden);
        assert!(reason.contains("system:serviceaccount:demo:agent"));
        let nodeless = OK.replace("authentication.kubernetes.io/node-name", "x");
        let (kind, reason) = verdict(&rules("podledger", None), &nodeless).unwrap_err();
        assert_eq!(kind, RefusalKind::Forbidden);
        assert!(reason.contains("projected token"), "{reason}");
    }

    #[test]
    fn other_answers_are_none() {
        let rules = rules("podledger", None);
        for text in ["", "[]", "{}", "no", "{\"kind\": \"Status\"}"] {
            assert!(rules.verdict(text.as_bytes()).is_err(), "{text}");
        }
        let nothing = rules.verdict(b"{\"kind\": \"TokenReview\"}").unwrap();
        assert!(nothing.is_err(), "nothing is no yes");
    }

    #[test]
    fn the_question_holds_the_token_and_the_audience() {
        let token = Token::new("secret").unwrap();
        let question = rules("podledger", None).question(&token).unwrap();
        let question: serde_json::Value = serde_json::from_slice(&question).unwrap();
        assert_eq!(question["spec"]["token"], "secret");
        assert_eq!(question["spec"]["audiences"][0], "podledger");
        assert_eq!(question["kind"], "TokenReview");
    }
}
