//! What the operator sees is part of the design.

use super::*;

fn refusal_of(text: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let error = Config::load(Some(file.path()), []).unwrap_err();
    error.to_string().replace(&file.path().display().to_string(), "castellan.toml")
}

fn with_environment(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(None, pairs).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

#[test]
fn a_misspelt_key_stops_the_start() {
    insta::assert_snapshot!(refusal_of("[tokens]\nacces_token = \"5m\"\n"), @r#"
    castellan.toml: line 2, column 1: unknown field `acces_token`, expected one of `access_token`, `id_token`, `person_jwt`, `code`, `refresh_idle`, `refresh_longest`, `refresh_grace`, `refresh_grace_off`, `session_idle`, `session_absolute`, `flow`, `rotate_keys`, `dpop_nonce`, `dpop_replay`, `groups_claims`
    "#);
}

#[test]
fn a_bare_number_is_no_lifetime() {
    insta::assert_snapshot!(refusal_of("[tokens]\ncode = \"60\"\n"), @r#"
    castellan.toml: line 2, column 8: tokens.code: the value is not a lifetime between 1s and 365d, written like "90s", "5m" or "30d"
    "#);
}

#[test]
fn plain_http_is_for_loopback() {
    insta::assert_snapshot!(refusal_of("issuer = \"http://id.example.org\"\n"), @r#"
    castellan.toml: line 1, column 10: issuer: the value is not https; plain http is for loopback addresses only (RFC 8414 §2)
    "#);
}

#[test]
fn the_environment_lies_over_the_file() {
    let config = with_environment(&[
        ("CASTELLAN__ISSUER", "https://id.example.org"),
        ("CASTELLAN__SERVER__LISTEN", "127.0.0.1:9999"),
        ("CASTELLAN__TOKENS__CODE", "30s"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    assert_eq!(config.issuer.as_str(), "https://id.example.org");
    assert_eq!(config.server.listen.port(), 9999);
    let error = with_environment(&[("CASTELLAN__SERVER__LISTN", "x")]).unwrap_err();
    assert!(error.starts_with("CASTELLAN__SERVER__LISTN: unknown field `listn`"), "{error}");
}

#[test]
fn insecure_needs_loopback() {
    let error = refusal_of("[server]\nlisten = \"0.0.0.0:80\"\n[security]\ninsecure = true\n");
    assert_eq!(
        error,
        "castellan.toml:4: security.insecure is allowed on loopback addresses only, but \
         server.listen is 0.0.0.0:80"
    );
}

#[test]
fn two_guards_cannot_claim_one_path() {
    let guard = |name: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"/graphql\"\nupstream = \"http://127.0.0.1:1/\"\n"
        )
    };
    let error = refusal_of(&(guard("a") + &guard("b")));
    assert!(error.contains("it cannot be reached: guard \"a\" has the same path"), "{error}");
}

#[test]
fn the_grammar_of_jwt_expires() {
    for (text, seconds) in [
        ("1d", 86_400),
        ("1 d", 86_400),
        ("1D", 86_400),
        ("1  day", 86_400),
        ("1y", 31_557_600),
        ("2 hours", 7_200),
        ("1.5h", 5_400),
        (".5h", 1_800),
        ("1500ms", 1),
        ("100ms", 0),
        ("-1d", -86_400),
        ("-.5h", -1_800),
        ("0", 0),
        ("3600", 3_600),
        ("5min", 300),
        ("", 86_400),
    ] {
        assert_eq!(parse_jwt_lifetime(text), Ok(seconds), "{text}");
    }
    for text in [
        " 1d", "1d ", "1\td", "1.h", "+1d", "--1d", "1.5.5h", "1,5h", "1e3", "1h30m", "1mo",
        "1 month", "d", "abc", "Infinity", "١d", "1 ",
    ] {
        assert!(parse_jwt_lifetime(text).is_err(), "{text:?}");
    }
}

#[test]
fn weak_and_missing_secrets_refuse_to_start() {
    let keys = r#"[{"id":"a","apiKey":"a-key-of-ours","scopes":["*"]}]"#;
    let error = with_environment(&[("JWT_AUTH_KEYS", keys)]).unwrap_err();
    assert!(error.contains("JWT_SECRET, which signs the tokens, is not"), "{error}");
    let error = with_environment(&[("JWT_SECRET", "x"), ("JWT_AUTH_KEYS", "[{")]).unwrap_err();
    assert!(error.starts_with("JWT_AUTH_KEYS: not a JSON array"), "{error}");
    let config = with_environment(&[("JWT_SECRET", "short"), ("JWT_AUTH_KEYS", keys)]).unwrap();
    let site = config.sites().unwrap().remove(0);
    assert!(config.jwt.tokens(Path::new("."), false, &site).is_err());
    assert!(config.jwt.tokens(Path::new("."), true, &site).unwrap().is_some());
    for scope in ["Mutation:Person:(a|b)", "!x", "api:read", ""] {
        let keys = format!(r#"[{{"id":"a","apiKey":"a-key-of-ours","scopes":["{scope}"]}}]"#);
        assert!(with_environment(&[("JWT_SECRET", "x"), ("JWT_AUTH_KEYS", &keys)]).is_err());
    }
    for key in ["", "  ", "seven-7"] {
        let keys = format!(r#"[{{"id":"a","apiKey":"{key}","scopes":["*"]}}]"#);
        let error = with_environment(&[("JWT_SECRET", "x"), ("JWT_AUTH_KEYS", &keys)]).unwrap_err();
        assert!(error.starts_with("JWT_AUTH_KEYS: the apiKey of the key \"a\" must"), "{error}");
    }
}

#[test]
fn secrets_are_found_by_reference() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "hush\n").unwrap();
    let read = |text: &str| {
        let table: toml::Table = toml::from_str(&format!("s = {text}")).unwrap();
        table["s"].clone().try_into::<SecretRef>().map(|secret| secret.resolve(folder.path()))
    };
    assert_eq!(read("{ file = \"key\" }").unwrap().unwrap().expose(), "hush");
    assert_eq!(read("\"plain\"").unwrap().unwrap().expose(), "plain");
    assert!(read("{ env = \"CASTELLAN_NOT_SET\" }").unwrap().is_err());
    assert!(read("{ enf = \"X\" }").is_err());
}

mod random {
    use proptest::prelude::*;

    use super::*;

    /// Keys and values that a configuration might hold, right and wrong.
    fn line() -> impl Strategy<Value = String> {
        let key = "(issuer|listen|url|access_token|name|path|public|upstream|x|insecure|secret)";
        let value = "(\"[a-z:/.*0-9]{0,20}\"|true|[0-9]{1,6}|\\[\\]|\\{ env = \"A\" \\}|\\{)";
        let table = "(\\[(server|data|tokens|security|jwt|nope)\\]|\\[\\[(site|guard)\\]\\])";
        prop_oneof![
            (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
            table.prop_map(|table: String| table),
            "\\PC{0,20}".prop_map(|noise: String| noise),
        ]
    }

    proptest! {
        #[test]
        fn a_configuration_is_read_or_refused_with_a_reason(
            lines in proptest::collection::vec(line(), 0..12),
            variable in "(CASTELLAN__[A-Z_]{0,12}|JWT_[A-Z_]{0,10})",
            value in "\\PC{0,20}",
        ) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), lines.join("\n")).unwrap();
            if let Err(error) = Config::load(Some(file.path()), [(variable, value)]) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn sites_that_cannot_be_told_apart_stop_the_start() {
    let site = |name: &str, more: &str| format!("[[site]]\nname = \"{name}\"\n{more}\n");
    let other = "issuer = \"https://b.test\"";
    for (text, said) in [
        (site("a", "") + &site("b", ""), "every site but the first needs its own issuer"),
        (site("a", "") + &site("a", other), "the same name, issuer or host"),
        (site("a", other) + &site("b", other), "the same name, issuer or host"),
        (
            site("a", "hosts = [\"x.test\"]")
                + &site("b", &format!("{other}\nhosts = [\"X.test\"]")),
            "the same name, issuer or host",
        ),
        (site("a/b", ""), "name must be letters"),
        (site("a", "hosts = [\"x y\"]"), "is not a host name"),
    ] {
        let error = refusal_of(&text);
        assert!(error.contains(said), "{error}");
    }
    let guard = "[[guard]]\nname = \"g\"\npath = \"/g\"\nsite = \"nowhere\"\nsession = \"local\"\n";
    assert!(refusal_of(guard).contains("site \"nowhere\" does not exist"));
}

#[test]
fn an_issuer_is_written_as_browsers_write_it() {
    for text in ["https://A.test", "https://a.test:443", "https:/a.test", "https://bücher.test"] {
        let error = refusal_of(&format!("issuer = \"{text}\"\n"));
        assert!(error.contains("must be written in the form that browsers use"), "{text}: {error}");
    }
}

#[test]
fn forced_authentication_is_not_contradicted() {
    let text = "[decidim]\nforce_api_authentication = true\n[[guard]]\nname = \"a\"\n\
                path = \"/api\"\nsession = \"local\"\nanonymous = \"admitted\"\n";
    assert!(refusal_of(text).contains("contradicts DECIDIM_API_FORCE"), "{}", refusal_of(text));
}

/// `docs/security-cases.md` row 48.
#[test]
fn what_is_wrong_with_a_variable_names_it_and_shows_no_value() {
    for (name, value) in [
        ("CASTELLAN__JWT__SECRET", "[\"hush\"]"),
        ("CASTELLAN__JWT__SECRET", "{ emv = \"hush\" }"),
        ("CASTELLAN__JWT", "[\"hush\"]"),
        ("CASTELLAN__JWT", "hush"),
        ("CASTELLAN__JWT__EXPIRES", "hush"),
        ("CASTELLAN__JWT__KEYS", "[[\"hush\", \"hush\", [\"*\"]]]"),
        ("CASTELLAN__JWT__KEYS", "hush"),
        ("CASTELLAN__DATA__MASTER_KEY", "[\"hush\"]"),
        ("CASTELLAN__DATA__WAIT", "hush"),
        ("CASTELLAN__DATA__MIGRATE", "hush"),
        ("CASTELLAN__SERVER__LISTEN", "hush"),
        ("CASTELLAN__SERVER__TRUSTED_PROXIES", "[\"hush\"]"),
        ("CASTELLAN__SERVER__CORS_HEADERS", "[\"h ush\", \"hush:\"]"),
        ("CASTELLAN__ISSUER", "https://a:hush@b.example"),
        ("JWT_EXPIRES", "hush"),
        ("JWT_AUTH_KEYS", "[\"hush\"]"),
        ("JWT_AUTH_KEYS", "[[\"a\", \"hush\", \"*\"]]"),
        ("JWT_AUTH_KEYS", "[{\"id\": 1, \"apiKey\": \"hush\", \"scopes\": \"hush\"}]"),
        ("JWT_AUTH_KEYS", "[{\"apiKey\": \"hush\", \"apiKey\": \"hush\"}]"),
        ("DECIDIM_API_JWT_EXPIRES_IN", "hush"),
        ("DECIDIM_API_FORCE_API_AUTHENTICATION", "hush"),
    ] {
        let said = with_environment(&[(name, value)]).unwrap_err();
        assert!(!said.contains("ush") && said.starts_with(name), "{value}: {said}");
    }
}
