//! People with a client certificate, at guards that list `client_certificate`
//! (`docs/contracts/ibexa.md` §6): that of our own handshake, or the one that a listed proxy names.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use castellan_gate::{Caller, CredentialProblem, Identity};
use castellan_issuer::{
    Issuer, caller_policies::PolicySubject, sign_in::certificate::CertificateName,
};
use castellan_proto::scope::{Scope, Scopes};

use super::{CredentialKind, Shown, unavailable};
use crate::{
    config::{GuardConfig, Method, SubjectPart},
    guards::{GuardParts, policies::GuardPolicies},
    wire::{
        client_certificate::{ClientCertificate, Subject},
        distinguished_name::{COMMON_NAME, EMAIL_ADDRESS},
    },
};

/// The kind of callers with a client certificate.
const KIND: &str = "client_certificate";

struct Certificate {
    issuer: Issuer,
    policies: GuardPolicies,
    part: SubjectPart,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.authenticate.list().contains(&Method::ClientCertificate);
    let part = config.client_certificate.filter(|_| takes)?.subject;
    let policies = GuardPolicies::of(config, parts);
    Some(Box::new(Certificate { issuer: parts.issuer.clone(), policies, part }))
}

#[async_trait]
impl CredentialKind for Certificate {
    /// The person whom the certificate is about; none if none was shown. One that is about nobody who
    /// may sign in taints the caller.
    async fn by_connection(&self, headers: &HeaderMap, extensions: &Extensions) -> Shown {
        let Some(certificate) = extensions.get::<ClientCertificate>() else { return Ok(None) };
        if self.is_of_another_site(headers) {
            return Ok(None);
        }
        let ClientCertificate::Verified(subject) = certificate else {
            return Ok(Some(Caller::invalid()));
        };
        // A connection may last longer than the certificate that it began with.
        if subject.ends.is_some_and(|ends| ends <= self.issuer.now()) {
            return Ok(Some(Caller::tainted(CredentialProblem::Expired)));
        }
        let Some(text) = self.named(subject) else { return Ok(Some(Caller::invalid())) };
        let name = match self.part {
            SubjectPart::Email => CertificateName::Email(&text),
            SubjectPart::Cn | SubjectPart::Dn => CertificateName::UserName(&text),
        };
        let found = self.issuer.person_of_certificate(name).await;
        let Some((id, account)) = found.map_err(|error| unavailable(&error))? else {
            return Ok(Some(Caller::invalid()));
        };
        let (person, person_term) = super::person(&self.issuer, &id, &account).await?;
        let subject = || PolicySubject {
            user: Some((id.clone(), Arc::clone(&account))),
            scope: Some(everything()),
            ..PolicySubject::default()
        };
        Ok(Some(Caller::known(Identity {
            kind: KIND,
            person: Some(person),
            person_term,
            policy_term: self.policies.about(subject).await?,
            token_scopes: everything(),
            ..Identity::default()
        })))
    }
}

impl Certificate {
    /// Whether a page of another site had a browser send the request: browsers show a certificate with
    /// every request, whoever asked for it.
    fn is_of_another_site(&self, headers: &HeaderMap) -> bool {
        if let Some(site) = headers.get("sec-fetch-site") {
            return !matches!(site.as_bytes(), b"same-origin" | b"none");
        }
        let ours = self.issuer.address().issuer.as_bytes();
        headers.get(header::ORIGIN).map(HeaderValue::as_bytes).is_some_and(|origin| origin != ours)
    }

    /// What `subject` has where this guard looks for the person.
    fn named<'a>(&self, subject: &'a Subject) -> Option<Cow<'a, str>> {
        match self.part {
            SubjectPart::Email => subject.name.only(EMAIL_ADDRESS).map(Cow::Borrowed),
            SubjectPart::Cn => subject.name.only(COMMON_NAME).map(Cow::Borrowed),
            SubjectPart::Dn => Some(Cow::Owned(subject.name.to_string())),
        }
    }
}

/// No app bounds what the person may do: their roles do, which a guard that takes certificates
/// requires.
fn everything() -> Scopes {
    let texts = ["user", "api:read", "api:write", "Query:*", "Mutation:*", "Subscription:*"];
    texts.iter().filter_map(|text| Scope::try_from((*text).to_owned()).ok()).collect()
}
