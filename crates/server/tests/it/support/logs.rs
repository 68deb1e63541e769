//! What servers under test log, collected for `cargo xtask logs`: each line is to be JSON, and none may
//! hold a secret that a test has sent, received or configured. Off unless `CASTELLAN_TEST_LOGS` names a
//! folder.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process,
    sync::{LazyLock, Mutex},
};

use http::HeaderMap;
use serde_json::Value;

static FOLDER: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| std::env::var_os("CASTELLAN_TEST_LOGS").map(PathBuf::from));

/// What a server is told, so that there is something to look through.
pub fn variables() -> &'static [(&'static str, &'static str)] {
    const ON: &[(&str, &str)] = &[
        ("CASTELLAN__LOG__FORMAT", "json"),
        (
            "CASTELLAN_LOG",
            "info,castellan_server=debug,castellan_gate=debug,castellan_issuer=debug,\
             castellan_stores=debug,castellan::event=debug",
        ),
    ];
    if FOLDER.is_some() { ON } else { &[] }
}

/// Keeps what the server of `folder` logged. Whoever starts it anew begins a new file.
pub fn collect(folder: &Path) {
    let Some(to) = &*FOLDER else { return };
    let Ok(log) = std::fs::read(folder.join("stderr")) else { return };
    append(to, "jsonl", &log);
}

/// Names of what is a secret, in forms, in answers, in documents and in the configuration.
const SECRETS: [&str; 24] = [
    "access_token",
    "apiKey",
    "api_jwt_secret",
    "assertion",
    "authorization",
    "client_assertion",
    "client_secret",
    "code",
    "csrf",
    "device_code",
    "id_token",
    "id_token_hint",
    "initialAccessToken",
    "master_key",
    "new_password",
    "password",
    "password_again",
    "refresh_token",
    "registration_access_token",
    "registration_client_uri",
    "secret",
    "subject_token",
    "token",
    "user_code",
];
/// What is shorter may be part of anything.
const SHORTEST: usize = 10;

/// Notes what is secret of `pairs` of names and values.
pub fn note_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let secret = |(name, _): &(&str, &str)| SECRETS.contains(name);
    pairs.into_iter().filter(secret).for_each(|(_, value)| note(value));
}

/// Notes what is secret of an answer.
pub fn note_answer(headers: &HeaderMap, body: &str) {
    if FOLDER.is_none() {
        return;
    }
    for cookie in headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap_or_default();
        let value = cookie.split(';').next().and_then(|pair| pair.split_once('='));
        note(value.map_or("", |(_, value)| value));
    }
    if let Some(Ok(url)) = headers.get("location").map(|to| to.to_str().map(url::Url::parse))
        && let Ok(url) = url
    {
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        note_pairs(pairs.iter().map(|(name, value)| (&**name, &**value)));
    }
    if let Ok(answer) = serde_json::from_str(body) {
        note_members(&answer);
    }
}

/// Notes what is secret among the members of `value`.
pub fn note_members(value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    // Of JSON, that is the kind of an error.
                    Some(_) if name == "code" => {}
                    Some(text) => note_pairs([(&**name, text)]),
                    None => note_members(value),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(note_members),
        _ => {}
    }
}

/// Notes what is secret in documents in YAML, and in TOML.
pub fn note_text(text: &str) {
    if FOLDER.is_none() {
        return;
    }
    for part in text.split(['\n', ',', '{', '}']) {
        let Some((name, value)) = part.split_once([':', '=']) else { continue };
        let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        note_pairs([(
            bare(name).rsplit('.').next().unwrap_or_default().trim_start_matches("- "),
            &*bare(value),
        )]);
    }
}

/// Notes a secret.
pub fn note(secret: &str) {
    let Some(to) = &*FOLDER else { return };
    let is_one_word = !secret.contains(char::is_whitespace);
    if secret.len() >= SHORTEST && is_one_word {
        append(to, "secrets", format!("{secret}\n").as_bytes());
    }
}

/// Adds to this process's file of a kind.
fn append(folder: &Path, kind: &str, bytes: &[u8]) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap();
    let path = folder.join(format!("{}.{kind}", process::id()));
    let mut file: File = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
