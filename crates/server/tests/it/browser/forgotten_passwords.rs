//! People who forgot their password ask for a link by mail.

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::DOCUMENTS,
    smtp::{Manner, Smtp},
};

const PEOPLE: &str = r"
---
{resourceType: User, id: eva, userName: eva, password: a password of hers, emails: [{value: eva@example.org}]}
---
{resourceType: User, id: off, userName: off, password: a password of his, emails: [{value: off@example.org}], active: false}
";

async fn start(smtp: &Smtp) -> Castellan {
    let config = format!(
        "[mail]\nfrom = \"no-reply@example.org\"\nhost = \"127.0.0.1\"\ntls = \"none\"\nport = {}\n",
        smtp.port
    );
    let documents = format!("{DOCUMENTS}{PEOPLE}");
    Castellan::start(Plan { config, documents, ..Plan::default() }).await
}

#[tokio::test]
async fn the_sign_in_page_leads_to_a_link_by_mail_and_tells_nobody_who_there_is() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let mut browser = Browser::default();
    let login = browser.get(&castellan.at("/auth/login")).await;
    let form = browser.get(&castellan.at(login.location())).await;
    assert!(form.body.contains("href=\"/auth/forgot-password\""), "{form:?}");
    let url = castellan.at("/auth/forgot-password");
    assert_eq!(browser.get(&url).await.status, 200);
    assert_eq!(browser.post(&url, &[("username", " ")]).await.status, 422);
    let mut said = Vec::new();
    for name in ["nobody", "off", "off@example.org", "EVA@example.org", "eva"] {
        let answer = browser.post(&url, &[("username", name)]).await;
        said.push((answer.status, answer.body));
    }
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    assert_eq!(said[0].0, 200);
    assert!((smtp.until(2).await.to == "eva@example.org") && smtp.mails().len() == 2);
    // Whoever cannot be sent one from another site.
    let ask = crate::support::wire::Ask::post(&url).header("origin", "https://evil.test");
    assert_eq!(browser.send(ask.form(&[("username", "eva")])).await.status, 403);
    // A person gets five in an hour.
    for _ in 0..6 {
        assert_eq!(browser.post(&url, &[("username", "eva")]).await.status, 200);
    }
    smtp.until(5).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(smtp.mails().len(), 5);
}

#[tokio::test]
async fn a_link_ends_with_the_address_that_it_was_sent_to() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let mut browser = Browser::default();
    let url = castellan.at("/auth/forgot-password");
    assert_eq!(browser.post(&url, &[("username", "eva")]).await.status, 200);
    let link = smtp.until(1).await.link();
    // The token goes into a cookie, and the page follows.
    assert_eq!(browser.get(&link).await.status, 303);
    let moved = "{resourceType: User, id: eva, userName: eva, \
                 emails: [{value: new@example.org}, {value: Eva@example.org}]}";
    assert!(castellan.cli_with(&["apply", "-f", "-"], moved).status.success());
    assert_eq!(browser.get(&link).await.status, 303, "it is read by them still");
    let moved = "{resourceType: User, id: eva, userName: eva, emails: [{value: new@example.org}]}";
    assert!(castellan.cli_with(&["apply", "-f", "-"], moved).status.success());
    assert_eq!(browser.get(&link).await.status, 410, "whoever reads the old mailbox sets nothing");
}

#[tokio::test]
async fn without_mail_nobody_is_led_there() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let mut browser = Browser::default();
    let login = browser.get(&castellan.at("/auth/login")).await;
    let form = browser.get(&castellan.at(login.location())).await;
    assert!(!form.body.contains("forgot"), "{form:?}");
    assert_eq!(browser.get(&castellan.at("/auth/forgot-password")).await.status, 404);
    let answer = browser.post(&castellan.at("/auth/forgot-password"), &[("username", "ann")]).await;
    assert_eq!(answer.status, 404);
}
