//! Each check of WebAuthn §§7.1 and 7.2, by an authenticator that lies about one thing at a time.

#[path = "../../../../tests/support/authenticator.rs"]
mod authenticator;

use authenticator::{Authenticator, Lies, UP_UV, decoded, encoded};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ORIGIN: &str = "https://id.castellan.test";
const RP_ID: &str = "id.castellan.test";
const CHALLENGE: [u8; 32] = [7; 32];

fn origins() -> Vec<String> {
    vec![ORIGIN.to_owned()]
}

fn ceremony(origins: &[String]) -> Ceremony<'_> {
    Ceremony { challenge: &CHALLENGE, rp_id: RP_ID, origins }
}

fn creation() -> Value {
    let offered = Algorithm::ALL.map(|one| json!({"type": "public-key", "alg": one.number()}));
    json!({
        "rp": {"id": RP_ID}, "user": {"id": encoded(b"ada")}, "challenge": encoded(&CHALLENGE),
        "pubKeyCredParams": offered,
    })
}

fn registered(response: &Value) -> Result<NewCredential, WebAuthnError> {
    let response = RegistrationResponse::read(response.to_string().as_bytes())?;
    ceremony(&origins()).register(&response)
}

/// What is made of a registration about which `lie` lies.
fn lied(lie: impl FnOnce(&mut Lies)) -> WebAuthnError {
    let mut lies = Lies::none(ORIGIN);
    lie(&mut lies);
    registered(&Authenticator::new(-7).create(&creation(), &lies)).unwrap_err()
}

fn asserted(response: &Value, known: &NewCredential) -> Result<Asserted, WebAuthnError> {
    let response = AssertionResponse::read(response.to_string().as_bytes())?;
    let known = KnownCredential {
        id: &known.id,
        key: &known.key,
        user_handle: b"ada",
        sign_count: known.sign_count,
        is_backup_eligible: known.is_backup_eligible,
    };
    ceremony(&origins()).assert(&response, &known)
}

fn request() -> Value {
    json!({"rpId": RP_ID, "challenge": encoded(&CHALLENGE)})
}

#[test]
fn keys_of_every_algorithm_are_registered_and_used() {
    for algorithm in Algorithm::ALL {
        let mut authenticator = Authenticator::new(algorithm.number());
        let truth = Lies::none(ORIGIN);
        let new = registered(&authenticator.create(&creation(), &truth)).unwrap();
        assert_eq!((&new.id, new.sign_count), (&authenticator.id, 0));
        assert_eq!(new.key.algorithm(), algorithm);
        assert_eq!(CredentialKey::read(new.key.cose()).unwrap().cose(), new.key.cose());
        let used = asserted(&authenticator.get(&request(), &truth), &new).unwrap();
        assert_eq!(used, Asserted { sign_count: 0, is_backed_up: false });
        let by_itself = Lies { format: "packed", ..truth };
        registered(&Authenticator::new(algorithm.number()).create(&creation(), &by_itself))
            .unwrap();
    }
}

#[test]
fn a_registration_that_is_not_for_this_request_is_refused() {
    assert_eq!(lied(|lies| lies.kind = Some("webauthn.get")), WebAuthnError::Ceremony);
    let other = encoded(&[8; 32]);
    assert_eq!(lied(|lies| lies.challenge = Some(other)), WebAuthnError::Challenge);
    assert_eq!(lied(|lies| lies.challenge = Some(String::new())), WebAuthnError::Challenge);
    for origin in [
        "https://evil.test",
        "https://id.castellan.test:8443",
        "http://id.castellan.test",
        "https://id.castellan.test.evil.test",
        "https://id.castellan.test/",
        "",
    ] {
        assert_eq!(lied(|lies| lies.origin = origin.to_owned()), WebAuthnError::Origin, "{origin}");
    }
    let embedded =
        [json!({"crossOrigin": true}), json!({"topOrigin": "https://id.castellan.test"})];
    for data in embedded {
        assert_eq!(lied(|lies| lies.client_data = data), WebAuthnError::Embedded);
    }
    let other = Some("castellan.test".to_owned());
    assert_eq!(lied(|lies| lies.rp_id = other), WebAuthnError::RelyingParty);
}

#[test]
fn the_user_is_present_and_verified() {
    assert_eq!(lied(|lies| lies.flags = 0x04), WebAuthnError::NotPresent);
    assert_eq!(lied(|lies| lies.flags = 0x01), WebAuthnError::NotVerified);
    assert_eq!(lied(|lies| lies.flags = UP_UV | 0x10), WebAuthnError::Backup);
}

#[test]
fn attestation_is_none_or_by_the_credential_itself() {
    for format in ["fido-u2f", "android-key", "tpm", ""] {
        assert_eq!(lied(|lies| lies.format = format), WebAuthnError::Attestation, "{format}");
    }
    let wrong = lied(|lies| {
        lies.format = "packed";
        lies.signs_wrongly = true;
    });
    assert_eq!(wrong, WebAuthnError::Attestation);
}

#[test]
fn nothing_is_left_over_and_extensions_are_a_map() {
    let malformed = WebAuthnError::Malformed("authenticatorData");
    assert_eq!(lied(|lies| lies.trailer = vec![0]), malformed);
    assert_eq!(lied(|lies| lies.flags = UP_UV | 0x80), malformed);
    let with = |trailer: &[u8]| {
        let trailer = trailer.to_vec();
        let lies = Lies { flags: UP_UV | 0x80, trailer, ..Lies::none(ORIGIN) };
        registered(&Authenticator::new(-7).create(&creation(), &lies)).map(drop)
    };
    // {"credProtect": 2}
    assert_eq!(with(b"\xa1\x6bcredProtect\x02"), Ok(()));
    for wrong in [&b"\x02"[..], b"\xa1\x6bcredProtect", b"\xa0\xa0", b"\xa1\x6bcredProtect\x02\x00"]
    {
        assert_eq!(with(wrong), Err(malformed));
    }
}

#[test]
fn a_response_names_the_credential_that_was_made() {
    let mut authenticator = Authenticator::new(-7);
    let mut response = authenticator.create(&creation(), &Lies::none(ORIGIN));
    let other = encoded(&[1; 32]);
    response["id"] = json!(other);
    assert_eq!(registered(&response).unwrap_err(), WebAuthnError::Malformed("id"));
    response["rawId"] = json!(other);
    assert_eq!(registered(&response).unwrap_err(), WebAuthnError::Credential);
}

#[test]
fn a_use_that_is_not_right_is_refused() {
    let mut authenticator = Authenticator::new(-7);
    let truth = Lies::none(ORIGIN);
    let new = registered(&authenticator.create(&creation(), &truth)).unwrap();
    let mut refused = |lie: fn(&mut Lies)| {
        let mut lies = truth.clone();
        lie(&mut lies);
        asserted(&authenticator.get(&request(), &lies), &new).unwrap_err()
    };
    assert_eq!(refused(|lies| lies.kind = Some("webauthn.create")), WebAuthnError::Ceremony);
    assert_eq!(refused(|lies| lies.origin = "https://evil.test".into()), WebAuthnError::Origin);
    let embedded = refused(|lies| lies.client_data = json!({"crossOrigin": true}));
    assert_eq!(embedded, WebAuthnError::Embedded);
    assert_eq!(refused(|lies| lies.challenge = Some(encoded(b"x"))), WebAuthnError::Challenge);
    assert_eq!(refused(|lies| lies.rp_id = Some("evil.test".into())), WebAuthnError::RelyingParty);
    assert_eq!(refused(|lies| lies.flags = 0x01), WebAuthnError::NotVerified);
    assert_eq!(refused(|lies| lies.flags = UP_UV | 0x08), WebAuthnError::Backup);
    assert_eq!(refused(|lies| lies.signs_wrongly = true), WebAuthnError::Signature);
    let malformed = WebAuthnError::Malformed("authenticatorData");
    assert_eq!(refused(|lies| lies.trailer = vec![0]), malformed);
    let mut other = Authenticator::new(-7);
    let stranger = registered(&other.create(&creation(), &truth)).unwrap();
    let response = other.get(&request(), &truth);
    assert_eq!(asserted(&response, &new).unwrap_err(), WebAuthnError::Credential);
    let mut response = other.get(&request(), &truth);
    response["response"]["userHandle"] = json!(encoded(b"bob"));
    assert_eq!(asserted(&response, &stranger).unwrap_err(), WebAuthnError::Credential);
}

#[test]
fn a_counter_grows_if_there_is_one() {
    let mut authenticator = Authenticator::new(-7);
    authenticator.counter = 5;
    let truth = Lies::none(ORIGIN);
    let mut new = registered(&authenticator.create(&creation(), &truth)).unwrap();
    assert_eq!(new.sign_count, 5);
    let first = authenticator.get(&request(), &truth);
    new.sign_count = asserted(&first, &new).unwrap().sign_count;
    assert_eq!(new.sign_count, 6);
    assert_eq!(asserted(&first, &new).unwrap_err(), WebAuthnError::Counter);
    authenticator.counter = 0;
    let without = authenticator.get(&request(), &truth);
    assert_eq!(asserted(&without, &new).unwrap_err(), WebAuthnError::Counter);
}

#[test]
fn keys_have_what_their_algorithm_needs_and_nothing_else() {
    let key = |bytes: &[u8]| CredentialKey::read(bytes).map(drop);
    let mut good = Vec::new();
    for algorithm in Algorithm::ALL {
        let mut authenticator = Authenticator::new(algorithm.number());
        let new = registered(&authenticator.create(&creation(), &Lies::none(ORIGIN))).unwrap();
        good.push(new.key.cose().to_vec());
    }
    for cose in &good {
        assert_eq!(key(cose), Ok(()));
        assert_eq!(key(&[&cose[..], &[0]].concat()), Err(WebAuthnError::Key));
        assert_eq!(key(&cose[..cose.len() - 1]), Err(WebAuthnError::Key));
        // One parameter more, and none twice.
        let more = [&[cose[0] + 1], &cose[1..], &[0x24, 0x00]].concat();
        assert_eq!(key(&more), Err(WebAuthnError::Key));
        let twice = [&[cose[0] + 1], &cose[1..], &[0x01, 0x02]].concat();
        assert_eq!(key(&twice), Err(WebAuthnError::Key));
    }
    // A point that is not on the curve; another curve; ES384.
    let es256 = &good[0];
    let at = es256.len() - 1;
    let mut off = es256.clone();
    off[at] ^= 1;
    assert_eq!(key(&off), Err(WebAuthnError::Key));
    let mut curve = es256.clone();
    curve[6] = 2;
    assert_eq!(key(&curve), Err(WebAuthnError::Key));
}

proptest! {
    #[test]
    fn whatever_is_sent_is_refused_and_breaks_nothing(
        data in proptest::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let response = json!({
            "id": "AA", "rawId": "AA", "type": "public-key",
            "response": {"clientDataJSON": encoded(&data), "attestationObject": encoded(&data)},
        });
        prop_assert!(registered(&response).is_err());
        prop_assert!(AuthenticatorData::read(&data).is_err() || data.len() >= 37);
        prop_assert!(CredentialKey::read(&data).is_err());
        // One bit of what an authenticator said is another one: its signature no longer fits.
        let mut authenticator = Authenticator::new(-8);
        let truth = Lies { format: "packed", ..Lies::none(ORIGIN) };
        let mut response = authenticator.create(&creation(), &truth);
        let mut object = decoded(&response["response"]["attestationObject"]);
        let at = at.index(object.len());
        object[at] ^= 1 << bit;
        response["response"]["attestationObject"] = json!(encoded(&object));
        prop_assert!(registered(&response).is_err());
    }
}
