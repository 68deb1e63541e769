//! `decide` by fixtures that people can read, and against a slow oracle.

use std::{collections::BTreeMap, fs, sync::Arc};

use castellan_gate::{
    Ask, Caller, CredentialProblem, Identity, Introspection, Manner, Reason, Root, Rules, Verdict,
    decide,
};
use castellan_proto::scope::{RequiredScope, ScopePattern, Scopes};
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

/// Reads what stands left of the arrow: a demand, perhaps with `by name` or `ours` behind it, or one
/// of the words for what has no demand.
fn verdict(asked: &str, caller: &Caller, rules: &Rules) -> String {
    let (what, how) = asked.split_once(", ").unwrap_or((asked, ""));
    let demand = RequiredScope::try_from(what.to_owned());
    let ask = match (what, &demand) {
        ("__typename", _) => Ask::Typename,
        ("__schema", _) => Ask::Introspection,
        ("nested __schema", _) => Ask::NestedIntrospection,
        (_, Ok(demand)) => {
            let root = match what.split(':').next().unwrap() {
                "Query" => Root::Query,
                "Mutation" => Root::Mutation,
                _ => Root::Subscription,
            };
            Ask::Field { root, demand, by_name_only: how == "by name", local: how == "ours" }
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
fn covers(pattern: &str, demand: &str, by_name: bool) -> bool {
    if let Some((before, rest)) = pattern.split_once('{') {
        let (inside, after) = rest.split_once('}').unwrap();
        return inside
            .split(',')
            .any(|one| covers(&format!("{before}{one}{after}"), demand, by_name));
    }
    if by_name {
        return pattern == demand;
    }
    if demand.starts_with("Castellan:") && !pattern.starts_with("Castellan:") {
        return false;
    }
    globs(pattern, demand)
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
    demand: &str,
    public: &[String],
    caller: &Known,
    replace: bool,
    by_name: bool,
) -> Verdict {
    let met = |patterns: &[String]| patterns.iter().any(|one| covers(one, demand, by_name));
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
        demand in "(Query|Mutation|Castellan):(a|b|ab|aa|bba|ba):(A|AB|B)",
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
        let asked = RequiredScope::try_from(demand.clone()).unwrap();
        let ask =
            Ask::Field { root: Root::Query, demand: &asked, by_name_only: by_name, local: false };
        let expected = oracle(&demand, &public, &known, replace, by_name);
        prop_assert_eq!(decide(ask, &caller, &rules), expected);
    }
}
