//! What is said where something is added that is of no use yet: what it is for is off.

use super::Failure;
use crate::config::{GuardConfig, Loaded};

/// Says on standard error what keeps API keys from being of use, if anything does.
pub(super) fn warn_of_api_keys(loaded: &Loaded) -> Result<(), Failure> {
    if loaded.key_tokens(&loaded.site)?.is_none() {
        warn(
            "/jwt is off: jwt.secret is not set, so that this key cannot be used yet",
            "[jwt]\nsecret = { env = \"JWT_SECRET\" }   # generate it with `openssl rand -hex 32`",
        );
    }
    if !any_guard(loaded, GuardConfig::takes_api_keys) {
        warn(
            "no guard accepts the tokens of API keys",
            "[[guard]]\nauthenticate = [\"oauth\", \"jwt\"]   # in the table of the guard",
        );
    }
    Ok(())
}

/// Says on standard error what keeps machine users from being of use, if anything does.
pub(super) fn warn_of_machine_users(loaded: &Loaded) -> Result<(), Failure> {
    if loaded.machine_tokens(&loaded.site)?.is_none() {
        warn(
            "/api/sign_in is off: decidim.api_jwt_secret is not set, so that this machine user \
             cannot sign in yet",
            "[decidim]\napi_jwt_secret = { env = \"DECIDIM_API_JWT_SECRET\" }   # generate it with \
             `openssl rand -hex 32`",
        );
    }
    if !any_guard(loaded, GuardConfig::takes_machine_users) {
        warn(
            "no guard accepts the tokens of machine users",
            "[[guard]]\ndialect = \"decidim\"   # in the table of the guard",
        );
    }
    Ok(())
}

fn any_guard(loaded: &Loaded, takes: impl Fn(&GuardConfig) -> bool) -> bool {
    loaded.guards(&loaded.site).iter().any(takes)
}

fn warn(what: &str, lines: &str) {
    eprintln!("WARNING: {what}. Add to the configuration file:\n");
    for line in lines.lines() {
        eprintln!("    {line}");
    }
    eprintln!();
}
