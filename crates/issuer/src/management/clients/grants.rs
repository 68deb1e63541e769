//! What capabilities are as grants of a `Client` document (`docs/contracts/curity.md` §7.3), and what
//! the tokens of those are.

use serde_json::{Map, Value, json};

use super::writing::Draft;

/// A capability that is a grant here.
struct Served {
    /// Its name among the capabilities.
    capability: &'static str,
    /// Its name in `auth` of the document.
    auth: &'static str,
    /// Its names in `grant_types`; the first is written.
    grant_types: &'static [&'static str],
    /// Whether people sign in, so that there are refresh tokens.
    has_people: bool,
}

const SERVED: [Served; 3] = [
    Served {
        capability: "code",
        auth: "authorization_code",
        grant_types: &["authorization_code", "code"],
        has_people: true,
    },
    Served {
        capability: "client_credentials",
        auth: "client_credentials",
        grant_types: &["client_credentials"],
        has_people: false,
    },
    Served {
        capability: "resource_owner_password",
        auth: "password",
        grant_types: &["password"],
        has_people: true,
    },
];

/// What the API calls being allowed to introspect.
const INTROSPECTION: &str = "introspection";

/// Grants that are written.
pub(super) struct Grants;

impl Grants {
    /// Writes the grants. Says whether people sign in with any.
    pub(super) fn write(draft: &mut Draft<'_>) -> bool {
        let writing = draft.writing;
        let capabilities = writing.value("capabilities").and_then(Value::as_object);
        let empty = Map::new();
        let asked = capabilities.unwrap_or(&empty);
        let is_asked = |name: &str| asked.get(name).is_some_and(|value| !value.is_null());
        let mut names = names_of(draft);
        let mut auth = match draft.document.shift_remove("auth") {
            Some(Value::Object(auth)) => auth,
            _ => Map::new(),
        };
        let first_party = draft.document.get("first_party") == Some(&json!(true));
        for served in SERVED {
            let had = names.iter().find(|name| served.grant_types.contains(&&***name)).cloned();
            names.retain(|name| !served.grant_types.contains(&&**name));
            let acts = served.capability != "resource_owner_password" || first_party;
            if !is_asked(served.capability) || !acts {
                auth.shift_remove(served.auth);
                continue;
            }
            names.push(had.clone().unwrap_or_else(|| served.grant_types[0].to_owned()));
            let mut settings = match auth.shift_remove(served.auth) {
                Some(Value::Object(settings)) => settings,
                _ => Map::new(),
            };
            let is_new = had.is_none();
            if served.has_people {
                proving(draft, &mut settings, is_new);
                refreshing(draft, &mut settings, served.auth, is_new);
            }
            if served.capability == "code" {
                code(draft, &mut settings, asked);
            }
            tokens(draft, &mut settings, is_new);
            auth.insert(served.auth.to_owned(), Value::Object(settings));
        }
        for (name, settings) in &mut auth {
            let is_ours = SERVED.iter().any(|served| served.auth == name);
            if let Some(settings) = settings.as_object_mut().filter(|_| !is_ours) {
                tokens(draft, settings, false);
            }
        }
        let is_machine = |name: &String| name == "client_credentials" || name == "basic";
        let has_people = !names.iter().all(is_machine);
        let has_refresh =
            ["authorization_code", "password"].iter().any(|name| auth.contains_key(*name));
        without_use(draft, !auth.is_empty(), has_refresh);
        draft.document.insert("grant_types".to_owned(), json!(names));
        draft.set("auth", Some(&Value::Object(auth)));
        if !is_asked("code") {
            draft.set("require_pushed_authorization_requests", None);
        }
        introspection(draft, is_asked(INTROSPECTION));
        unserved(draft, asked, first_party);
        has_people
    }
}

/// `grant_types` of the document, without what the settings of each grant say.
fn names_of(draft: &Draft<'_>) -> Vec<String> {
    let names = draft.document.get("grant_types").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.filter(|name| *name != "refresh_token").map(ToOwned::to_owned).collect()
}

/// Whether the client has to show its proof.
fn proving(draft: &Draft<'_>, settings: &mut Map<String, Value>, is_new: bool) {
    if is_new || draft.writing.changes("client_authentication") {
        settings.insert("secret_required".to_owned(), json!(draft.writing.has_proof()));
    }
}

fn code(draft: &mut Draft<'_>, settings: &mut Map<String, Value>, asked: &Map<String, Value>) {
    let code = asked.get("code");
    let has_proof = draft.writing.has_proof();
    let key = code.and_then(|code| code.get("proof_key"));
    let said = |name: &str| key.and_then(|key| key.get(name)).and_then(Value::as_bool);
    let required = said("require_proof_key");
    // Anybody could redeem the codes of a public client otherwise (RFC 9700 §2.1.1).
    settings.insert("pkce".to_owned(), json!(!has_proof || required.unwrap_or(false)));
    let place = ["capabilities", "code", "proof_key"];
    let mut note = |name: &str, value: bool| {
        draft.note(&[place[0], place[1], place[2], name], &json!(value));
    };
    if required == Some(false) && !has_proof {
        note("require_proof_key", false);
    }
    if said("disallow_challenge_method_plain") == Some(false) {
        note("disallow_challenge_method_plain", false);
    }
    if said("disallow_challenge_method_s256") == Some(true) {
        note("disallow_challenge_method_s256", true);
    }
    let pushed = code.and_then(|code| code.get("require_pushed_authorization_request"));
    let pushed = pushed.filter(|pushed| **pushed == json!(true));
    draft.set("require_pushed_authorization_requests", pushed);
}

/// Who tokens are for, and how long they live.
fn tokens(draft: &Draft<'_>, settings: &mut Map<String, Value>, is_new: bool) {
    for (attribute, member) in
        [("audiences", "audience"), ("access_token_ttl", "access_token_expiration")]
    {
        if !is_new && !draft.writing.changes(attribute) {
            continue;
        }
        let value = draft.writing.value(attribute);
        match value.filter(|value| **value != json!([])) {
            Some(value) => settings.insert(member.to_owned(), value.clone()),
            None => settings.shift_remove(member),
        };
    }
}

/// The refresh tokens of one grant: as the site has them, unless the attribute says otherwise.
fn refreshing(draft: &mut Draft<'_>, settings: &mut Map<String, Value>, name: &str, is_new: bool) {
    let writing = draft.writing;
    if !is_new && !writing.changes("refresh_token") {
        return;
    }
    for member in
        ["refresh_token_expiration", "refresh_token_max_lifetime", "refresh_token_rotation"]
    {
        settings.shift_remove(member);
    }
    let seconds = writing.member("refresh_token", "refresh_token_ttl");
    let is_off = seconds.is_some_and(|seconds| *seconds == json!(0));
    settings.insert("refresh_token".to_owned(), json!(!is_off));
    if is_off {
        return;
    }
    let longest = writing.member("refresh_token", "refresh_token_max_rolling_lifetime");
    for (member, value) in
        [("refresh_token_expiration", seconds), ("refresh_token_max_lifetime", longest)]
    {
        if let Some(value) = value {
            settings.insert(member.to_owned(), value.clone());
        }
    }
    let reuse = writing.member("refresh_token", "reuse_refresh_tokens").and_then(Value::as_bool);
    match reuse {
        Some(reuse) if name == "authorization_code" => {
            let rotation = if reuse { "keep" } else { "rotate" };
            settings.insert("refresh_token_rotation".to_owned(), json!(rotation));
        }
        // The password grant has one way only.
        Some(true) => draft.note(&["refresh_token", "reuse_refresh_tokens"], &json!(true)),
        _ => {}
    }
}

/// Notes what is about tokens that are not issued.
fn without_use(draft: &mut Draft<'_>, has_grants: bool, has_refresh: bool) {
    for (name, has_use) in [
        ("audiences", has_grants),
        ("access_token_ttl", has_grants),
        ("refresh_token", has_refresh),
    ] {
        let value = draft.writing.value(name).filter(|value| **value != json!([]));
        let is_off = |value: &Value| value.get("refresh_token_ttl") == Some(&json!(0));
        if let Some(value) = value.filter(|value| !has_use && !is_off(value)) {
            draft.note(&[name], value);
        }
    }
}

/// All tokens of the site, where the caller may give that; otherwise those that concern the client,
/// which every client may introspect that proves who it is.
fn introspection(draft: &mut Draft<'_>, is_asked: bool) {
    let has_all = draft.document.get("introspect") == Some(&json!("any"));
    if is_asked && (has_all || draft.writing.introspects_any) {
        draft.document.insert("introspect".to_owned(), json!("any"));
        return;
    }
    draft.set("introspect", None);
    if is_asked {
        draft.note(&["capabilities", INTROSPECTION], &json!({}));
    }
}

/// Notes the capabilities that are not offered, and what else has no effect in those that are.
fn unserved(draft: &mut Draft<'_>, asked: &Map<String, Value>, first_party: bool) {
    for (name, value) in asked.iter().filter(|(_, value)| !value.is_null()) {
        match &**name {
            "code" | "client_credentials" | INTROSPECTION => {}
            "resource_owner_password" => {
                let manager = value.get("credential_manager_id").filter(|id| !id.is_null());
                if let Some(manager) = manager {
                    draft.note(&["capabilities", name, "credential_manager_id"], manager);
                } else if !first_party {
                    draft.note(&["capabilities", name], &json!({}));
                }
            }
            _ => draft.note(&["capabilities", name], value),
        }
    }
}
