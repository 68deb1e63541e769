//! Hashes of passwords that other programs made: taken as `passwordHash`, and replaced at the next
//! sign-in.

use http::Method;
use serde_json::json;

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    wire::Ask,
};

const PASSWORD: &str = "correct horse é";

/// Made as the unit tests of `secrets/imported.rs` say.
const HASHES: [(&str, &str); 7] = [
    ("bcrypt", "$2b$04$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWxm6"),
    ("aidbox", "$s0$a0801$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA="),
    (
        "scrypt",
        "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA",
    ),
    (
        "pbkdf2",
        "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M",
    ),
    ("django", "pbkdf2_sha256$1000$saltsaltsalt$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M="),
    ("django-bcrypt", "bcrypt_sha256$$2b$04$zkHavMswYlB6bwYlPWKGi.u8j2Y8gxnZperuex6KsMRnk2tKwEXti"),
    (
        "argon2",
        "$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0$ahR6OhfsIDA8hFHPrjYOcsCPqutjMT92OEZOwHFl7ao",
    ),
];

fn document(id: &str, hash: &str) -> String {
    format!("resourceType: User\nid: {id}\nuserName: {id}\npasswordHash: \"{hash}\"\n")
}

async fn signs_in(castellan: &Castellan, name: &str, password: &str) -> bool {
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    browser.sign_in(castellan, &begun, (name, password)).await.status == 303
}

/// The account of `id` as it is stored.
fn stored(castellan: &Castellan, id: &str) -> serde_json::Value {
    let lines = castellan.said(&["export"]);
    let is_it = |line: &serde_json::Value| line["kind"] == "account" && line["id"] == id;
    let mut lines = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.find(is_it).unwrap_or_else(|| panic!("no {id} in the export"))["body"].clone()
}

#[tokio::test]
async fn imported_hashes_let_their_people_in_and_are_replaced_at_once() {
    let documents: Vec<_> = HASHES.iter().map(|(id, hash)| document(id, hash)).collect();
    let documents = documents.join("---\n");
    // Longer than the password is: it may stay all the same.
    let castellan = Castellan::start(Plan {
        environment: vec![
            ("CASTELLAN__SECURITY__PASSWORD_MIN_LENGTH", "16".to_owned()),
            ("CASTELLAN_TEST_HASHES", "as released".to_owned()),
        ],
        documents: documents.clone(),
        ..Plan::default()
    })
    .await;
    for (id, hash) in HASHES {
        let shown = castellan.said(&["get", "User", id, "--format", "json"]);
        assert!(!shown.contains("password") && !shown.contains(hash), "{shown}");
        assert_eq!(stored(&castellan, id)["password"], hash);
        assert!(!signs_in(&castellan, id, "correct horse e").await, "{id}");
        assert!(!signs_in(&castellan, id, hash).await, "{id}: by its hash");
        assert_eq!(stored(&castellan, id)["password"], hash, "a wrong one replaces nothing");
        assert!(signs_in(&castellan, id, PASSWORD).await, "{id}");
        let kept = stored(&castellan, id)["password"].clone();
        let ours = "$argon2id$v=19$m=19456,t=2,p=1$";
        assert!(kept.as_str().unwrap().starts_with(ours), "{id}: {kept}");
        assert!(signs_in(&castellan, id, PASSWORD).await, "{id}: by the new hash");
    }
    // The same documents again undo nothing.
    let again = castellan.cli_with(&["apply", "-f", "-"], &documents);
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(again.status.success() && said.contains("unchanged User/bcrypt"), "{said}");
    assert!(stored(&castellan, "bcrypt")["password"].as_str().unwrap().starts_with("$argon2id$"));
    // Another hash is another password.
    let other = document("bcrypt", HASHES[1].1);
    assert!(castellan.cli_with(&["apply", "-f", "-"], &other).status.success());
    assert_eq!(stored(&castellan, "bcrypt")["password"], HASHES[1].1);
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_by_name_and_not_repeated() {
    let castellan = Castellan::start(Plan::default()).await;
    let known = HASHES[0].1;
    for (members, why, secret) in [
        (format!("passwordHash: \"{known}\"\npassword: a password"), "either password or", known),
        (format!("password: \"{known}\""), "password: is a hash; send the password", known),
        ("passwordHash: in the clear".to_owned(), "passwordHash is not a hash", "in the clear"),
        (
            "passwordHash: \"$2b$15$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWxm6\""
                .to_owned(),
            "passwordHash would take too long",
            "3dGEtouZB",
        ),
        ("passwordHash: \"$2b$10$short\"".to_owned(), "passwordHash begins like", "short"),
        ("passwordHash: [1]".to_owned(), "passwordHash", "[1]"),
    ] {
        let document = format!("resourceType: User\nid: x\nuserName: x\n{members}\n");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8(applied.stderr).unwrap();
        assert!(!applied.status.success() && said.contains(why), "{members}: {said}");
        assert!(!said.contains(secret), "{members}: {said}");
    }
    assert!(!castellan.cli(&["get", "User", "x"]).status.success());
}

#[tokio::test]
async fn an_export_with_imported_hashes_can_be_imported() {
    let castellan = Castellan::with_documents(&document("ann", HASHES[0].1)).await;
    let lines = castellan.said(&["export"]);
    let again = castellan.cli_with(&["import"], &lines);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let costly = lines.replace("$2b$04$", "$2b$19$");
    let refused = castellan.cli_with(&["import"], &costly);
    assert!(!refused.status.success(), "a hash that costs too much");
    assert!(signs_in(&castellan, "ann", PASSWORD).await);
}

#[tokio::test]
async fn a_hash_that_is_put_ends_the_sessions_of_before() {
    let tool = "---\nresourceType: Client\nid: admin-tool\nsecret: a-secret-for-the-tool\n\
                grant_types: [client_credentials]\nscope: [\"Castellan:*\"]\n";
    let ann = "resourceType: User\nid: ann\nuserName: ann\npassword: pw-ann\n";
    let castellan = Castellan::with_documents(&format!("{ann}{tool}")).await;
    let mut browser = Browser::as_ann(&castellan).await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    let token = castellan.token(&pairs).await.json()["access_token"].as_str().unwrap().to_owned();
    castellan.advance_to(2);
    let user = json!({"userName": "ann", "passwordHash": HASHES[1].1});
    let put = Ask::new(Method::PUT, &castellan.at("/User/ann")).bearer(&token).json(&user);
    let put = put.send().await;
    assert_eq!(put.status, 200, "{put:?}");
    assert!(!put.body.contains("assword") && !put.body.contains("$s0$"), "{put:?}");
    assert_eq!(browser.get(&castellan.at("/account")).await.location(), "/auth/login");
    assert!(signs_in(&castellan, "ann", PASSWORD).await);
}
