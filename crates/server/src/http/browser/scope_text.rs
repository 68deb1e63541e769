//! What a scope lets an app do, in words for the person who is asked.

/// A phrase, and whether it is about changing something.
///
/// The profile may open the address, too.
pub(crate) fn words(scope: &str, with_email: bool) -> (String, bool) {
    let known = match scope {
        "profile" if with_email => Some(("See your name and your e-mail address", false)),
        "openid" => Some(("See who you are", false)),
        "profile" => Some(("See your profile, such as your name and your picture", false)),
        "email" => Some(("See your e-mail address", false)),
        "address" => Some(("See your postal address", false)),
        "phone" => Some(("See your telephone number", false)),
        "groups" => Some(("See which groups you are in", false)),
        "roles" => Some(("See which roles you have", false)),
        "user" => Some(("Act as you", true)),
        "offline_access" => Some(("Keep access while you are not using it", true)),
        "api:read" => Some(("Read everything that the API lets you read", false)),
        "api:write" => Some(("Change everything that the API lets you change", true)),
        "*" => Some(("Read and change everything that you can", true)),
        _ => None,
    };
    if let Some((text, writes)) = known {
        return (text.to_owned(), writes);
    }
    let mut parts = scope.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("Mutation"), Some(of), Some(action), None) => (phrase(action, "Change", of), true),
        (Some("Query"), Some(of), Some(action), None) => (phrase(action, "Read", of), false),
        (Some("Query"), ..) => (format!("Read with the scope {scope}"), false),
        _ => (format!("Use the scope {scope}"), true),
    }
}

/// The same for one claim that an app asks for (OIDC Core §5.5).
pub(crate) fn of_claim(claim: &str) -> String {
    let what = match claim {
        "name" => "your name",
        "given_name" => "your first name",
        "family_name" => "your family name",
        "middle_name" => "your middle name",
        "nickname" => "your nickname",
        "preferred_username" => "your username",
        "profile" => "the address of your profile page",
        "picture" => "your picture",
        "website" => "the address of your website",
        "gender" => "your gender",
        "birthdate" => "your date of birth",
        "zoneinfo" => "your time zone",
        "locale" => "your language",
        "updated_at" => "when your profile was last changed",
        "email" => "your e-mail address",
        "email_verified" => "whether your e-mail address was verified",
        "address" => "your postal address",
        "phone_number" => "your telephone number",
        "phone_number_verified" => "whether your telephone number was verified",
        "groups" => "which groups you are in",
        "roles" => "which roles you have",
        other => return format!("See the claim {other}"),
    };
    format!("See {what}")
}

fn phrase(action: &str, any: &str, of: &str) -> String {
    let verb = if action.contains('*') { any } else { action };
    match of {
        "*" => format!("{verb} anything"),
        of => format!("{verb} {of}"),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_scope_reads_as_a_phrase() {
        for (scope, text, writes) in [
            ("Mutation:Person:Create", "Create Person", true),
            ("Mutation:Person:*", "Change Person", true),
            ("Mutation:*:*", "Change anything", true),
            ("Query:Person:List", "List Person", false),
            ("Mutation:*", "Use the scope Mutation:*", true),
            ("email", "See your e-mail address", false),
        ] {
            assert_eq!(words(scope, false), (text.to_owned(), writes));
        }
    }
}
