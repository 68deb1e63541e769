//! `decide` by fixtures that people can read, and against a slow oracle.

use std::{collections::BTreeMap, fs, sync::Arc};

use castellan_gate::{
    Ask, Caller, CredentialProblem, Identity, Introspection, Manner, PersonTerm, Reason, Root,
    Rules, Verdict, decide,
};
use castellan_proto::scope::{RequiredScope, RoleScopes, ScopePattern, Scopes, within_roles};
use proptest::prelude::*;
use serde::Deserialize;

/// One file of `tests/decide`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: RulesText,
    cases: Vec<Case>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RulesText {
    public: Vec<ScopePattern>,
    aliases: BTreeMap<String, Vec<ScopePattern>>,
    requires: BTreeMap<Root, Vec<String>>,
    introspection: Option<Introspection>,
    scopes_replace_public: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Why the case is here.
    about: String,
    caller: CallerText,
    /// From what is asked to `allow`, `local` or the reason of a refusal.
    asks: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum CallerText {
    Nobody,
    Expired,
    Invalid,
    #[serde(untagged)]
    Known {
        token: String,
        #[serde(default)]
        client: Option<String>,
    },
}

impl RulesText {
    fn rules(self) -> Rules {
        Rules {
            public: self.public,
            aliases: self.aliases,
            requires: self.requires,
            introspection: self.introspection.unwrap_or(Introspection::Public),
            manner: Manner {
                scopes_replace_public: self.scopes_replace_public,
                denied_query_is_null: false,
                ..Manner::default()
            },
            ..Rules::default()
        }
    }
}

impl CallerText {
    fn caller(&self) -> Caller {
        match self {
            Self::Nobody => Caller::NOBODY,
            Self::Expired => Caller::Anonymous(Some(CredentialProblem::Expired)),
            Self::Invalid => Caller::invalid(),
            Self::Known { token, client } => {
                let scopes = |text: &str| Scopes::parse(text).unwrap();
                Caller::Known(Arc::new(Identity {
                    client_scopes: client.as_deref().map(scopes),
                    ..Identity::with_scopes(scopes(token))
                }))
            }
        }
    }
}

/// Reads what stands left of the arrow: a required scope, perhaps with `by name` or `ours` behind it, or one
/// of the words for what requires none.
fn verdict(asked: &str, caller: &Caller, rules: &Rules) -> String {
    let (what, how) = asked.split_once(", ").unwrap_or((asked, ""));
    let required = RequiredScope::try_from(what.to_owned());
    let ask = match (what, &required) {
        ("__typename", _) => Ask::Typename,
        ("__schema", _) => Ask::Introspection,
        ("nested __schema", _) => Ask::NestedIntrospection,
        (_, Ok(required)) => {
            let root = match what.split(':').next().unwrap() {
                "Query" => Root::Query,
                "Mutation" => Root::Mutation,
                _ => Root::Subscription,
            };
            Ask::Field { root, required, by_name_only: how == "by name", local: how == "ours" }
        }
        (_, Err(error)) => panic!("{asked}: {error}"),
    };
    match decide(ask, caller, rules) {
        Verdict::Allow => "allow".to_owned(),
        Verdict::Local => "local".to_owned(),
        Verdict::Deny(reason) => reason.as_str().to_owned(),
    }
}

#[test]
fn the_fixtures_hold() {
    let mut cases = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decide")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let file: File = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let rules = file.rules.rules();
        for case in file.cases {
            let caller = case.caller.caller();
            for (asked, expected) in &case.asks {
                let place = format!("{path:?}: {}: {asked}", case.about);
                assert_eq!(&verdict(asked, &caller, &rules), expected, "{place}");
                cases += 1;
            }
        }
    }
    assert!(cases > 80, "{cases}");
}

/// The rule for patterns, as slow and plain as it can be said.
fn covers(pattern: &str, required: &str, by_name: bool) -> bool {
    if let Some((before, rest)) = pattern.split_once('{') {
        let (inside, after) = rest.split_once('}').unwrap();
        return inside
            .split(',')
            .any(|one| covers(&format!("{before}{one}{after}"), required, by_name));
    }
    if by_name {
        return pattern == required;
    }
    if required.starts_with("Castellan:") && !pattern.starts_with("Castellan:") {
        return false;
    }
    globs(pattern, required)
}

fn globs(pattern: &str, text: &str) -> bool {
    let Some(symbol) = pattern.chars().next() else { return text.is_empty() };
    match symbol {
        '*' => (0..=text.len()).any(|at| globs(&pattern[1..], &text[at..])),
        '?' => !text.is_empty() && globs(&pattern[1..], &text[1..]),
        literal => text.starts_with(literal) && globs(&pattern[1..], &text[1..]),
    }
}

/// The whole decision, as slow and plain as it can be said.
fn oracle(
    required: &str,
    public: &[String],
    caller: &Known,
    replace: bool,
    by_name: bool,
) -> Verdict {
    let met = |patterns: &[String]| patterns.iter().any(|one| covers(one, required, by_name));
    let replaced = replace && caller.is_some();
    if met(public) && !replaced {
        return Verdict::Allow;
    }
    let Some((token, client)) = caller else { return Verdict::Deny(Reason::NoCredential) };
    if !met(token) {
        Verdict::Deny(Reason::TokenScope)
    } else if client.as_ref().is_some_and(|client| !met(client)) {
        Verdict::Deny(Reason::ClientScope)
    } else {
        Verdict::Allow
    }
}

type Known = Option<(Vec<String>, Option<Vec<String>>)>;

fn patterns() -> impl Strategy<Value = Vec<String>> {
    let pattern = "(Query|Mutation|Castellan|\\*|Q\\*|\\?uery):(a|ab|\\*|a\\*|\\?|a\\?|\\{a,b\\}|b\\*a):(A|AB|\\*|\\?)|\\*|Query:\\*|Castellan:\\*|\\*\\*|Query:a:A\\*";
    prop::collection::vec(pattern, 0..4)
}

fn scopes(texts: &[String]) -> Scopes {
    Scopes::parse(&texts.join(" ")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// `docs/security-cases.md` row 33: no prefix counts as the whole, whatever the pattern.
    #[test]
    fn case_33_decide_agrees_with_the_slow_oracle(
        required in "(Query|Mutation|Castellan):(a|b|ab|aa|bba|ba):(A|AB|B)",
        public in patterns(),
        known in prop::option::of((patterns(), prop::option::of(patterns()))),
        replace: bool,
        by_name: bool,
    ) {
        let rules = Rules {
            public: public.iter().map(|one| one.clone().try_into().unwrap()).collect(),
            manner: Manner { scopes_replace_public: replace, ..Manner::default() },
            ..Rules::default()
        };
        let caller = known.as_ref().map_or(Caller::NOBODY, |(token, client)| {
            Caller::known(Identity {
                client_scopes: client.as_deref().map(scopes),
                ..Identity::with_scopes(scopes(token))
            })
        });
        let asked = RequiredScope::try_from(required.clone()).unwrap();
        let ask =
            Ask::Field { root: Root::Query, required: &asked, by_name_only: by_name, local: false };
        let expected = oracle(&required, &public, &known, replace, by_name);
        prop_assert_eq!(decide(ask, &caller, &rules), expected);
    }
}

/// What the slow oracle says of the person's term: whether the guard asks for it, whether there is a
/// person, and whether any alternative of any pattern of any role matches.
fn may_as_person(scope: &str, required: bool, roles: Option<&[Vec<String>]>) -> bool {
    !required
        || roles
            .is_none_or(|roles| roles.iter().flatten().any(|pattern| covers(pattern, scope, false)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A person may do the union of their roles, and a token no more than that, than its client,
    /// and than it was granted: token ∩ client ∩ person.
    #[test]
    fn the_persons_term_agrees_with_the_slow_oracle(
        scope in "(Query|Mutation|Castellan):(a|b|ab|aa|bba|ba):(A|AB|B)",
        token in patterns(),
        client in prop::option::of(patterns()),
        roles in prop::option::of(prop::collection::vec(patterns(), 0..3)),
        required: bool,
    ) {
        let mut rules = Rules::default();
        rules.terms.person = required;
        let person_term = roles.as_ref().map_or(PersonTerm::NoPerson, |roles| {
            let role = |texts: &Vec<String>| RoleScopes {
                role: "some".to_owned(),
                scopes: scopes(texts),
            };
            PersonTerm::Roles(roles.iter().map(role).collect())
        });
        let caller = Caller::known(Identity {
            client_scopes: client.as_deref().map(scopes),
            person_term: person_term.clone(),
            ..Identity::with_scopes(scopes(&token))
        });
        let asked = RequiredScope::try_from(scope.clone()).unwrap();
        let ask = Ask::Field { root: Root::Query, required: &asked, by_name_only: false, local: false };
        let before = oracle(&scope, &[], &Some((token.clone(), client)), false, false);
        let expected = match before {
            Verdict::Allow if !may_as_person(&scope, required, roles.as_deref()) => {
                Verdict::Deny(Reason::PersonScope)
            }
            other => other,
        };
        prop_assert_eq!(decide(ask, &caller, &rules), expected);
        // What is left of the token's scopes for the API allows nothing beyond either.
        if let PersonTerm::Roles(theirs) = &person_term {
            let left = within_roles(&scopes(&token), theirs, &rules.aliases);
            if rules.covers(&left, &asked) {
                prop_assert!(rules.covers(&scopes(&token), &asked));
                prop_assert!(theirs.iter().any(|role| rules.covers(&role.scopes, &asked)));
            }
        }
    }
}

/// A host of the gate that forgets to say what a person may do lets nobody in where that counts.
#[test]
fn a_term_that_was_not_looked_up_denies() {
    let required = RequiredScope::try_from("Query:Person:Get".to_owned()).unwrap();
    let ask =
        Ask::Field { root: Root::Query, required: &required, by_name_only: false, local: false };
    let mut rules = Rules::default();
    rules.terms.person = true;
    let of = |person_term| {
        let token = Identity::with_scopes(Scopes::parse("*").unwrap());
        decide(ask, &Caller::known(Identity { person_term, ..token }), &rules)
    };
    assert_eq!(of(PersonTerm::Unknown), Verdict::Deny(Reason::PersonScope));
    assert_eq!(of(PersonTerm::Roles([].into())), Verdict::Deny(Reason::PersonScope));
    assert_eq!(of(PersonTerm::NoPerson), Verdict::Allow);
}

/// Where the scopes of a token and of a role are names and patterns in any mixture, the API is told
/// what both allow.
#[test]
fn what_is_left_within_roles_is_what_both_allow() {
    let pattern = |text: &str| ScopePattern::try_from(text.to_owned()).unwrap();
    let aliases = [("api:read".to_owned(), vec![pattern("Query:*")])].into();
    let rules = Rules { aliases, ..Rules::default() };
    for (token, role, left) in [
        ("Mutation:*", "Mutation:Person:*", "Mutation:Person:*"),
        ("Mutation:Person:*", "Mutation:*", "Mutation:Person:*"),
        ("openid Mutation:Person:*", "Mutation:Place:*", "openid"),
        ("openid api:read", "Query:Person:*", "openid Query:Person:*"),
        ("Query:Person:*", "api:read", "Query:Person:*"),
        ("api:read", "api:read", "api:read"),
    ] {
        let role = RoleScopes { role: "r".to_owned(), scopes: Scopes::parse(role).unwrap() };
        let is = within_roles(&Scopes::parse(token).unwrap(), &[role], &rules.aliases).to_string();
        assert_eq!(is, left, "{token}");
    }
}
