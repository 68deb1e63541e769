//! What people are told of scopes on the consent page (`docs/resources.md`, `Scope`).

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{ANN, Asking},
    wire::Ask,
};

const SDL: &str = "
type Query { person(id: ID): Person secret: Secret }
type Mutation {
  createPerson(name: String): Person
  updatePerson(name: String): Person
  \"Adds a <b>song</b> to the book.\"
  createSong: ID @castellan(scope: \"Mutation:Song:Create\")
}
\"Somebody who sings.\"
type Person { id: ID }
type Secret { id: ID }
";

const DOCUMENTS: &str = r#"
resourceType: User
id: ann
userName: ann
password: pw-ann
---
resourceType: Client
id: portal
secret: s3cr3t-portal
grant_types: [authorization_code]
redirect_uris: ["https://portal.test/cb"]
scope: [openid, "Mutation:Person:*", "Mutation:Song:Create", "Query:Person:*", "choir:join"]
---
resourceType: Scope
id: join
scope: choir:join
title: Join choirs in your name
description: You can leave them at any time.
languages:
  de: {title: In deinem Namen Chören beitreten}
"#;

async fn start(guard: &str) -> Castellan {
    Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"people\"\npath = \"/graphql\"\nschema = \"people.graphql\"\n\
             upstream = \"http://127.0.0.1:9/\"\n{guard}"
        ),
        documents: DOCUMENTS.to_owned(),
        files: vec![("people.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await
}

/// What the consent page says to Ann, whose browser prefers `languages`.
async fn consent(castellan: &Castellan, languages: &str) -> String {
    let scope = "openid Mutation:Person:* Mutation:Song:Create Query:Person:* choir:join";
    let asking = Asking::of("portal", "https://portal.test/cb").with("scope", scope);
    let mut browser = Browser::default();
    let begun = browser.get(&asking.at(castellan)).await;
    let answer = browser.sign_in(castellan, &begun, ANN).await;
    let page = Ask::get(&castellan.at(answer.location())).header("accept-language", languages);
    let page = browser.send(page).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.body
}

#[tokio::test]
async fn scopes_are_said_in_plain_words() {
    let castellan = start("").await;
    let page = consent(&castellan, "").await;
    for words in [
        "<li>Create and change persons",
        "<li><code>Mutation:Person:*</code></li>",
        "<li>Read persons",
        "<li><code>Query:Person:*</code></li>",
        "<bdi>Somebody who sings.</bdi>",
        "<li>Create songs",
        // The schema is its API's, and may say anything.
        "<bdi>Adds a &#60;b&#62;song&#60;/b&#62; to the book.</bdi>",
        "<li>Join choirs in your name",
        "<bdi>You can leave them at any time.</bdi>",
    ] {
        assert!(page.contains(words), "no {words:?} in\n{page}");
    }
    let german = "In deinem Namen Chören beitreten";
    for (languages, is_german) in [
        ("de", true),
        ("fr, de-CH;q=0.8, en;q=0.5", true),
        ("en, de", false),
        ("de;q=0.1, en-GB;q=0.9", false),
        ("de;q=0", false),
        ("fr, *", false),
        (";;,=,q=,de;q=x", false),
    ] {
        let page = consent(&castellan, languages).await;
        assert_eq!(page.contains(german), is_german, "{languages}");
        // A page says where its words are in another language.
        let is_marked = page.contains(&format!("<span lang=\"de\">{german}</span>"));
        assert_eq!(is_marked, is_german && !page.contains("<html lang=\"de\">"), "{languages}");
    }
    // What somebody changes is shown at once.
    let better = "resourceType: Scope\nid: join\nscope: choir:join\ntitle: Sing along\n";
    assert!(castellan.cli_with(&["apply", "-f", "-"], better).status.success());
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let page = consent(&castellan, "de").await;
    assert!(page.contains("Sing along"), "{page}");
}

/// Where the schema is shown to nobody, its words are not either.
#[tokio::test]
async fn a_closed_schema_stays_closed() {
    let castellan = start("introspection = \"closed\"\n").await;
    let page = consent(&castellan, "").await;
    assert!(page.contains("<li>Change persons</li>"), "{page}");
    assert!(!page.contains("Somebody who sings"), "{page}");
}

#[tokio::test]
async fn a_text_for_a_scope_is_checked() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    for (document, why) in [
        ("scope: a\n", "missing field `title`"),
        ("title: A\n", "missing field `scope`"),
        ("scope: a b\ntitle: A\n", "scope: \"a b\" is not a scope"),
        ("scope: a\ntitle: \" \"\n", "title must have 1 to 200 characters"),
        ("scope: a\ntitle: \"a\\u0007\"\n", "no control characters"),
        ("scope: a\ntitle: A\nlanguages: {german!: {title: A}}\n", "is not the tag of a language"),
        ("scope: a\ntitle: A\nlanguage: x\n", "language: \"x\" is not the tag of a language"),
        ("scope: a\ntitle: A\nlanguages: {de: {title: \"\"}}\n", "languages.de.title must have"),
        ("scope: a\ntitle: A\nlanguages: {de: {title: A}, DE: {title: B}}\n", "is there twice"),
        ("scope: a\ntitle: A\nlanguages: {EN: {title: A}}\n", "is the language of title"),
        ("scope: choir:join\ntitle: A\n", "\"choir:join\" already belongs to another one"),
    ] {
        let document = format!("resourceType: Scope\nid: another\n{document}");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8(applied.stderr).unwrap();
        assert!(!applied.status.success() && said.contains(why), "{document}: {said}");
    }
}
