//! Matching and containment against brute force, and the tables of `docs/contracts/trompa.md` §5.

use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> ScopePattern {
    ScopePattern::try_from(text.to_owned()).unwrap()
}

fn required(text: &str) -> RequiredScope {
    RequiredScope::try_from(text.to_owned()).unwrap()
}

fn scope(text: &str) -> Scope {
    Scope::try_from(text.to_owned()).unwrap()
}

#[test]
fn trompa_5_1_what_a_key_may_ask_for() {
    let granted = |key: &str, asked: &str| {
        Scope::try_from(asked.to_owned()).is_ok_and(|asked| scope(key).contains(&asked))
    };
    for (key, asked, expected) in [
        ("*", "*", true),
        ("*", "Mutation:*:Create", true),
        ("*", "Mutation:Person:*", true),
        ("*", "Query:ControlAction", true),
        ("*", "", false),
        ("*", "a/b", false),
        ("Mutation:*", "Mutation:Person:*", true),
        ("Mutation:*", "*", false),
        ("Mutation:Person:*", "Mutation:Person:Create", true),
        ("Mutation:Person:*", "Mutation:Person:*", true),
        ("Mutation:Person:*", "Mutation:*", false),
        ("Mutation:Person:*", "*", false),
        ("Mutation:Person:*", "mutation:person:create", false),
        ("Mutation:Person:*", "Mutation:Place:Create", false),
        ("Mutation:Person:Create", "Mutation:Person:*", false),
        ("Mutation:*:Create", "Mutation:*:Create", true),
        ("Mutation:*:Create", "Mutation:Person:Create", true),
        ("Mutation:Person:*", "Mutation:Person:(a|b)|Mutation:*", false),
        ("Mutation:Person:*", "Mutation:Person:{a,b}|Mutation:*", false),
        ("*:Create", "!q:Create", false),
    ] {
        assert_eq!(granted(key, asked), expected, "{key} asked for {asked}");
    }
}

#[test]
fn trompa_5_2_what_a_pattern_opens() {
    let (create, add) = ("Mutation:Person:Create", "Mutation:MusicCompositionComposer:Add");
    for (text, opens_create, opens_add) in [
        ("*", true, true),
        ("**", true, true),
        ("*:*:*", true, true),
        ("*:*", true, true),
        ("Mutation:*", true, true),
        ("Mutation:*:*", true, true),
        ("Mutation:Person", false, false),
        ("Mutation:Person:*", true, false),
        ("Mutation:Person:Create", true, false),
        ("Mutation:*:Create", true, false),
        ("Mutation:*:Add", false, true),
        ("*Create", true, false),
        ("Mutation:P*", true, false),
        ("Mutation:MusicComposition:*", false, false),
        ("Mutation:MusicComposition*:*", false, true),
        ("Mutation:*Composer:Add", false, true),
        ("Mutation:Pers?n:Create", true, false),
        ("Mutation:Person:{Create,Update}", true, false),
        ("Mutation:{Person,Place}:*", true, false),
        ("Query:*", false, false),
    ] {
        assert_eq!(pattern(text).matches(&required(create)), opens_create, "{text} on {create}");
        assert_eq!(pattern(text).matches(&required(add)), opens_add, "{text} on {add}");
    }
}

/// `docs/security-cases.md` row 33: without a wildcard nothing matches a longer name.
#[test]
fn case_33_a_scope_is_no_prefix() {
    assert!(!pattern("Mutation:Order:Create").matches(&required("Mutation:OrderItem:Create")));
    assert!(!pattern("Mutation:Order:Create").matches(&required("Mutation:Order:CreateAll")));
    assert!(!pattern("Mutation:Order:?").matches(&required("Mutation:Order:Create")));
}

#[test]
fn our_own_rights_need_to_be_named() {
    let own = required("Castellan:User:Delete");
    assert!(!pattern("*").matches(&own));
    assert!(!pattern("{Castellan,x}*:User:*").contains(&pattern("C*")));
    assert!(pattern("Castellan:*").matches(&own));
    assert!(!pattern("*").contains(&pattern("Castellan:*")));
    for hidden in ["{Castellan,Query}:*", "{Castellan:User:Delete,Query:*}"] {
        assert!(!pattern(hidden).matches(&own), "{hidden}");
        assert!(!pattern(hidden).names(&own), "{hidden}");
        assert!(!pattern(hidden).contains(&pattern("Castellan:*")), "{hidden}");
    }
}

#[test]
fn names_are_no_patterns() {
    assert!(matches!(scope("api:read"), Scope::Named(_)));
    assert!(matches!(scope("Query:ControlAction"), Scope::Pattern(_)));
    assert!(!scope("*").contains(&scope("api:read")));
    assert!(Scope::try_from("a b".to_owned()).is_err());
    assert!(Scope::try_from("a\"b".to_owned()).is_err());
}

#[test]
fn braces_are_flat_closed_and_few() {
    for bad in ["{a}", "{a,b", "a}", "{a,{b,c}}", "a,b", "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"] {
        assert!(ScopePattern::try_from(bad.to_owned()).is_err(), "{bad}");
    }
    assert!(pattern("Mutation:{Person,Place}:{Create,}").names(&required("Mutation:Place:Create")));
}

/// A matcher that is obviously correct: it tries everything.
fn slow_match(glob: &[u8], text: &[u8]) -> bool {
    match glob.first() {
        None => text.is_empty(),
        Some(b'*') => (0..=text.len()).any(|n| slow_match(&glob[1..], &text[n..])),
        Some(b'?') => !text.is_empty() && slow_match(&glob[1..], &text[1..]),
        Some(c) => text.first() == Some(c) && slow_match(&glob[1..], &text[1..]),
    }
}

/// Every word over `a`, `b` and the spare letter `z` with at most `longest` letters.
fn words(longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last.iter().flat_map(|w| ["a", "b", "z"].map(|c| format!("{w}{c}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// A required scope `a:b:…` whose last name is `word`, matched by a pattern with the same head.
fn dressed(word: &str) -> RequiredScope {
    required(&format!("a:b:_{word}"))
}

proptest! {
    #[test]
    fn matching_agrees_with_brute_force(glob in "[ab*?]{0,7}", text in "[ab]{0,8}") {
        let subject = format!("a:b:_{text}");
        prop_assert_eq!(
            pattern(&format!("a:b:_{glob}")).matches(&dressed(&text)),
            slow_match(format!("a:b:_{glob}").as_bytes(), subject.as_bytes())
        );
    }

    #[test]
    fn containment_is_sound_and_without_question_marks_complete(
        key in "[ab*?]{0,5}",
        asked in "[ab*?]{0,4}",
    ) {
        let (ours, theirs) = (pattern(&format!("a:b:_{key}")), pattern(&format!("a:b:_{asked}")));
        // A counterexample, if there is one, shows within this many letters of a spare alphabet.
        let truth = words(6)
            .iter()
            .map(|word| dressed(word))
            .all(|word| !theirs.matches(&word) || ours.matches(&word));
        let contains_it = ours.contains(&theirs);
        prop_assert!(!contains_it || truth, "contains_it {key} contains {asked}");
        if !key.contains('?') && !asked.contains('?') {
            prop_assert_eq!(contains_it, truth, "{} contains {}", key, asked);
        }
    }

    #[test]
    fn a_scope_never_panics(text in "\\PC{0,80}") {
        let _ = Scope::try_from(text.clone());
        let _ = Scopes::parse(&text);
        let _ = RequiredScope::try_from(text);
    }
}
