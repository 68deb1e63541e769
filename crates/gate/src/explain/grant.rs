//! The least that would change a decision.

use castellan_proto::scope::RequiredScope;

use crate::{Caller, PolicySaid, Reason, Root, Rules, Says, decide::Want};

/// The least that would have to be granted.
pub(super) fn smallest_grant(
    (reason, said): (Reason, &[PolicySaid]),
    required: &RequiredScope,
    (caller, rules): (&Caller, &Rules),
    root: Root,
) -> Option<String> {
    let want = Want { required, by_name_only: false };
    let most = caller.identity().and_then(|identity| identity.client_scopes.as_ref());
    let beyond = most.is_some_and(|most| !want.is_met_by(most, rules));
    match reason {
        Reason::NoCredential => Some(format!("a valid token with the scope {required}")),
        Reason::TokenScope if beyond => {
            Some(format!("{required} for the app or key, and then in the token"))
        }
        Reason::TokenScope => Some(format!("{required} in the token")),
        Reason::ClientScope => Some(format!("{required} for the app or key")),
        Reason::RequiredScope => rules
            .requires
            .get(&root)
            .map(|names| format!("all of {} in the token", names.join(" "))),
        Reason::PersonScope => {
            Some(format!("{required} in a role of the person, or a new role for them that has it"))
        }
        Reason::Policy => Some(match said.iter().find(|one| one.says == Says::Forbids) {
            Some(one) => {
                format!("none; the policy {} forbids it and would have to change", one.policy)
            }
            None => format!("a policy of this guard that allows this request of {required}"),
        }),
        // No scope helps a token that does not count, nor where the gate was not asked.
        Reason::CredentialExpired
        | Reason::CredentialInvalid
        | Reason::IntrospectionClosed
        | Reason::NotMeant
        | Reason::OtherUser
        | Reason::LoginNotPermitted => None,
    }
}
