//! What `castellan doctor` looks at on this machine, and how it warns.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use castellan_issuer::{Issuer, keys::KeyUse};
use castellan_proto::{Clock as _, SystemClock, Timestamp};

use super::counted;
use crate::{
    config::{AuditOutput, Loaded},
    files,
    startup::{
        file_rights,
        tls_files::{End, TlsFiles},
    },
};

/// A certificate that ends sooner is warned of.
const SOON: Duration = Duration::from_hours(21 * 24);

/// Whether something was warned of.
pub(super) static WARNED: AtomicBool = AtomicBool::new(false);

/// Prints what works and should not stay so.
pub(super) fn warn(what: &str, text: &str) {
    WARNED.store(true, Ordering::Relaxed);
    println!("{what:<16} WARNING: {text}");
}

/// Warns of files with secrets that others on this machine can read.
pub(super) fn file_rights(loaded: &Loaded) {
    for text in file_rights::warnings(loaded) {
        warn("file rights", &text);
    }
}

/// Prints whether audit records can be written where they are to go besides; whether they can.
pub(super) fn audit_output(loaded: &Loaded) -> bool {
    let Some(AuditOutput::File(output)) = &loaded.config.audit.output else { return true };
    let path = loaded.folder.join(&output.file);
    match files::check_writable(&path) {
        Ok(()) => {
            println!("audit            {} can be written", path.display());
            true
        }
        Err(error) => {
            println!("audit            PROBLEM: {}: {error}", path.display());
            false
        }
    }
}

/// Prints when the certificates of listeners end; whether none has ended and all can be read.
pub(super) fn certificates(loaded: &Loaded) -> bool {
    let (mut good, now) = (true, SystemClock.now());
    for (name, listener) in loaded.config.listeners() {
        let Some(tls) = &listener.tls else { continue };
        let files = TlsFiles::new(&name, tls, &loaded.folder);
        let used = files.read().and_then(|material| {
            if material.key_is_exposed {
                let text = "other users of this machine can read the private key; chmod o-r";
                warn("tls", &format!("{name}: {text}"));
            }
            files.server_config(material)?;
            files.ends()
        });
        match used {
            Ok(ends) => {
                for end in &ends {
                    good &= ends_well(&name, end, now);
                }
            }
            Err(error) => {
                good = false;
                println!("tls              PROBLEM: {name}: {error}");
            }
        }
    }
    good
}

/// Prints when something of a listener's ends; whether it has not yet.
fn ends_well(listener: &str, end: &End, now: Timestamp) -> bool {
    let End { what, file, at } = end;
    let Some(at) = at else {
        println!("tls              {listener}: {what} in {file} does not say when it ends");
        return true;
    };
    let days = at.since(now).as_secs() / 86_400;
    let (state, good) = match at.0.checked_sub(now.0) {
        None | Some(0) => ("PROBLEM: ", false),
        Some(left) if left < SOON.as_secs() && *what != "revocation list" => {
            let text = format!("{listener}: {what} in {file} ends in {}", counted(days, "day"));
            warn("tls", &text);
            return true;
        }
        Some(_) => ("", true),
    };
    let when =
        if good { format!("ends in {}", counted(days, "day")) } else { "has ended".to_owned() };
    println!("tls              {state}{listener}: {what} in {file} {when}");
    good
}

/// Prints whether every use has a key that signs now; whether that is so.
pub(super) fn signing_keys(issuer: &Issuer) -> bool {
    let now = issuer.now();
    let keys = issuer.keyring().keys();
    let signing = |usage| {
        keys.iter().any(|key| {
            key.usage == usage
                && key.sign_from <= now
                && key.sign_until.is_none_or(|until| now < until)
        })
    };
    if keys.is_empty() {
        println!("signing keys     none yet; `castellan serve` creates them at its first start");
        return true;
    }
    let whole = signing(KeyUse::Access) && signing(KeyUse::Id);
    let state = if whole {
        "every use has an active key"
    } else {
        "PROBLEM: no active signing key for at least one use"
    };
    println!("signing keys     {} decrypted with the master key; {state}", keys.len());
    whole
}
