//! Limits how much of a denial is stored: its content is chosen by the caller who was denied, its
//! size must not be.

use crate::{CallerSummary, Denial, DeniedField, PolicySaid, RoleSummary};

/// Bytes of the fields of one record at most.
const FIELDS: usize = 16 * 1024;
/// Bytes of one path at most.
const PATH: usize = 512;
/// Policies that are kept of one field at most, and bytes of why each said what it said.
const POLICIES: usize = 20;
const BECAUSE: usize = 256;
/// What a policy takes besides its id and why.
const POLICY: usize = 64;
/// Bytes of one list of scopes at most.
const SCOPES: usize = 2 * 1024;
/// Bytes of the roles of a person at most.
const ROLES: usize = 8 * 1024;
/// What a role takes besides its id and its scopes.
const ROLE: usize = 32;
/// What a record takes besides, its names written out.
const RECORD: usize = 512;
const FIELD: usize = 96;

impl Denial {
    /// As much of it as is kept.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for field in &mut self.fields {
            shorten(&mut field.path, PATH);
            // The one that decided is the last.
            let before = field.policies.len().saturating_sub(POLICIES);
            field.policies.drain(..before);
            let because = field.policies.iter_mut().filter_map(|one| one.because.as_mut());
            because.for_each(|text| shorten(text, BECAUSE));
        }
        let mut bytes = 0;
        let fits = |field: &&DeniedField| {
            bytes += field.bytes();
            bytes <= FIELDS
        };
        let fitting = self.fields.iter().take_while(fits).count();
        self.omitted += self.fields.len() - fitting;
        self.fields.truncate(fitting);
        self.caller.shorten();
        self
    }

    /// Bytes that it takes, written out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = [&self.id, &self.operation, &self.document, &self.rules];
        let fields = self.fields.iter().map(DeniedField::bytes).sum::<usize>();
        RECORD + texts.map(String::len).iter().sum::<usize>() + self.caller.bytes() + fields
    }
}

impl DeniedField {
    fn bytes(&self) -> usize {
        let required = self.required.as_ref().map_or(0, |required| required.as_str().len());
        let policies = self.policies.iter().map(PolicySaid::bytes).sum::<usize>();
        FIELD + self.path.len() + self.field.len() + required + policies
    }
}

impl PolicySaid {
    fn bytes(&self) -> usize {
        POLICY + self.policy.len() + self.because.as_ref().map_or(0, String::len)
    }
}

impl CallerSummary {
    fn shorten(&mut self) {
        for scopes in [&mut self.scope, &mut self.client_scope].into_iter().flatten() {
            if scopes.len() > SCOPES {
                // Scopes are ASCII; half a one is another one.
                let end = scopes[..scopes.floor_char_boundary(SCOPES)].rfind(' ');
                scopes.truncate(end.unwrap_or(0));
                self.shortened = true;
            }
        }
        let mut bytes = 0;
        let fits = |role: &&RoleSummary| {
            bytes += role.bytes();
            bytes <= ROLES
        };
        if let Some(roles) = &mut self.roles {
            let fitting = roles.iter().take_while(fits).count();
            self.shortened |= fitting < roles.len();
            roles.truncate(fitting);
        }
    }

    fn bytes(&self) -> usize {
        let texts = [&self.person, &self.client, &self.credential, &self.scope, &self.client_scope];
        let roles = self.roles.iter().flatten().map(RoleSummary::bytes).sum::<usize>();
        self.kind.len() + texts.into_iter().flatten().map(String::len).sum::<usize>() + roles
    }
}

impl RoleSummary {
    fn bytes(&self) -> usize {
        ROLE + self.role.len() + self.scope.len()
    }
}

/// Cuts `text` to `most` bytes, and marks the cut with its last character.
pub(crate) fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, Says};

    #[test]
    fn a_record_has_a_size_whatever_was_denied() {
        let field = |at: usize| DeniedField {
            path: "é".repeat(at),
            field: "Query.secret".to_owned(),
            required: None,
            reason: Reason::NoCredential,
            policies: Vec::new(),
        };
        let scopes = "Query:Person:Get ".repeat(1_000);
        let caller = CallerSummary {
            scope: Some(scopes.clone()),
            client_scope: Some("openid".to_owned()),
            ..CallerSummary::default()
        };
        let denial =
            Denial { fields: (0..1_000).map(field).collect(), caller, ..Denial::default() }
                .bounded();
        assert!(denial.bytes() < 20 * 1024, "{}", denial.bytes());
        assert!(serde_json::to_string(&denial).unwrap().len() < denial.bytes());
        assert_eq!(denial.fields.len() + denial.omitted, 1_000);
        assert!(denial.omitted > 900);
        let kept = denial.caller.scope.unwrap();
        assert!(scopes.starts_with(&kept) && kept.ends_with("Get"), "{kept}");
        assert!(denial.caller.shortened);
        assert_eq!(denial.caller.client_scope.as_deref(), Some("openid"));
    }

    #[test]
    fn what_policies_said_has_a_size_and_the_last_of_it_stays() {
        let said = |at: usize| PolicySaid {
            policy: format!("p{at}"),
            says: Says::Abstains,
            because: Some("é".repeat(10_000)),
        };
        let field = DeniedField {
            path: "a".to_owned(),
            field: "Query.a".to_owned(),
            required: None,
            reason: Reason::Policy,
            policies: (0..1_000).map(said).collect(),
        };
        let denial = Denial { fields: vec![field; 64], ..Denial::default() }.bounded();
        assert!(denial.bytes() < 20 * 1024, "{}", denial.bytes());
        assert!(serde_json::to_string(&denial).unwrap().len() < denial.bytes());
        assert_eq!(denial.fields.len() + denial.omitted, 64);
        assert_eq!(denial.fields[0].policies.last().unwrap().policy, "p999");
    }

    #[test]
    fn what_is_short_is_kept_as_it_is() {
        let field = DeniedField {
            path: "a.b".to_owned(),
            field: "Query.secret".to_owned(),
            required: None,
            reason: Reason::NoCredential,
            policies: Vec::new(),
        };
        let denial = Denial { fields: vec![field; 64], ..Denial::default() };
        assert_eq!(denial.clone().bounded(), denial);
    }
}
