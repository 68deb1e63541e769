//! What a person agreed to, as a document (`docs/contracts/aidbox.md` §1). The resource is called
//! `Grant` on the wire, as in the contract.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Choice, Facts, How, Parameter, Problem, ReadDocument, Resource};
use crate::{
    Issuer,
    records::{Consent, consent_id},
};

/// A consent. People give it on a page; it is read and deleted here, and never written.
#[derive(Deserialize)]
pub struct ConsentDocument {}

const READ_ONLY: &str = "a Grant cannot be written: it is created when a person gives consent";

impl Resource for ConsentDocument {
    type Record = Consent;

    const NAME: &'static str = "Grant";
    const READ_ONLY: Option<&'static str> = Some(READ_ONLY);
    const IS_NUMEROUS: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "user", paths: &["user"], how: How::Reference },
        Parameter { name: "client", paths: &["client"], how: How::Reference },
    ];
    const SEARCH: &'static [&'static str] = &["user", "client"];

    async fn read(self, _: &Issuer, _: Option<&Consent>) -> Result<ReadDocument<Consent>, Problem> {
        Err(Problem::Text(READ_ONLY.to_owned()))
    }

    fn show(id: &str, consent: &Consent) -> Value {
        let (user, client) = id.split_once('/').unwrap_or((id, ""));
        let mut shown = json!({
            "resourceType": "Grant",
            "id": id,
            "user": {"resourceType": "User", "id": user},
            "client": {"resourceType": "Client", "id": client},
            "scope": consent.scope.to_string(),
            "start": consent.start,
        });
        if !consent.claims.is_empty() {
            shown["claims"] = json!(consent.claims);
        }
        shown
    }

    fn facts(id: &str, consent: &Consent) -> Facts {
        Facts { name: id.to_owned(), created: consent.start, modified: consent.start }
    }

    fn incarnation(_: &str, consent: &Consent) -> String {
        let letters = consent.agreement.chars().filter(char::is_ascii_alphanumeric);
        let agreement: String = letters.take(16).collect();
        if agreement.is_empty() { format!("{:x}", consent.start.0) } else { agreement }
    }

    fn choice(name: &str, value: &str) -> Option<Choice> {
        let user = value.strip_prefix("User/").unwrap_or(value);
        (name == "user").then(|| Choice::Prefix(consent_id(user, "")))
    }

    fn id(values: &[&str]) -> Option<String> {
        match values {
            [user, client] => Some(consent_id(user, client)),
            _ => None,
        }
    }
}
