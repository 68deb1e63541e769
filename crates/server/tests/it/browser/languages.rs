//! People read pages and mail in their own language.

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{ANN, Asking, DOCUMENTS},
    smtp::{Manner, Smtp},
    wire::{Answer, Ask},
};

/// What a page of `language` begins with.
fn is_in(answer: &Answer, language: &str) {
    let start = format!("<!doctype html>\n<html lang=\"{language}\">");
    assert!(answer.body.starts_with(&start), "{language}: {answer:?}");
}

/// A page for a browser that prefers `languages`.
async fn get(browser: &mut Browser, url: &str, languages: &str) -> Answer {
    browser.send(Ask::get(url).header("accept-language", languages)).await
}

#[tokio::test]
async fn the_app_s_languages_come_first_then_those_of_the_browser() {
    let castellan = Castellan::with_ann().await;
    for (locales, languages, expected, words) in [
        ("", "", "en", ["Sign in", "Password", "Allow"]),
        ("", "de-AT, en;q=0.5", "de", ["Anmelden", "Passwort", "Erlauben"]),
        ("", "it, en;q=0.1, es;q=0.2", "es", ["Iniciar sesión", "Contraseña", "Permitir"]),
        ("fr-CA fr", "de", "fr", ["Se connecter", "Mot de passe", "Autoriser"]),
        ("xx ca", "de", "ca", ["Inicia la sessió", "Contrasenya", "Permet"]),
        ("xx", "es", "es", ["Iniciar sesión", "Contraseña", "Permitir"]),
        ("xx", "de;q=0", "en", ["Sign in", "Password", "Allow"]),
    ] {
        let asking = Asking::portal();
        let asking = if locales.is_empty() { asking } else { asking.with("ui_locales", locales) };
        let mut browser = Browser::default();
        let begun = get(&mut browser, &asking.at(&castellan), languages).await;
        let form = get(&mut browser, &castellan.at(begun.location()), languages).await;
        is_in(&form, expected);
        assert!(words[..2].iter().all(|word| form.body.contains(word)), "{words:?} in {form:?}");
        let flow = form.hidden("flow").unwrap();
        let submit = async |browser: &mut Browser, password| {
            let pairs = [("flow", &*flow), ("username", ANN.0), ("password", password)];
            let ask = Ask::post(&castellan.at("/auth/login")).form(&pairs);
            browser.send(ask.header("accept-language", languages)).await
        };
        let wrong = submit(&mut browser, "wrong").await;
        assert_eq!(wrong.status, 401, "{wrong:?}");
        is_in(&wrong, expected);
        let right = submit(&mut browser, ANN.1).await;
        let consent = get(&mut browser, &castellan.at(right.location()), languages).await;
        is_in(&consent, expected);
        assert!(consent.body.contains(words[2]), "{} in {consent:?}", words[2]);
    }
}

#[tokio::test]
async fn a_site_has_the_languages_that_it_names() {
    let config = "[[site]]\nname = \"kante\"\nlanguages = [\"de\", \"fr\"]\n".to_owned();
    let plan = Plan { config, documents: DOCUMENTS.to_owned(), ..Plan::default() };
    let castellan = Castellan::start(plan).await;
    let mut browser = Browser::default();
    for (languages, expected) in [("", "de"), ("en, es", "de"), ("en, fr;q=0.1", "fr")] {
        is_in(&get(&mut browser, &castellan.at("/auth/device"), languages).await, expected);
    }
    let discovery = Ask::get(&castellan.at("/.well-known/openid-configuration")).send().await;
    assert_eq!(discovery.json()["ui_locales_supported"], serde_json::json!(["de", "fr"]));
    for (languages, why) in [
        ("[]", "languages"),
        ("[\"de\", \"de\"]", "languages"),
        ("[\"it\"]", "expected one of `en`, `ca`, `es`, `de`, `fr`"),
    ] {
        let config = format!("[[site]]\nname = \"kante\"\nlanguages = {languages}\n");
        let said = Castellan::refuses(Plan { config, ..Plan::default() }).await;
        assert!(said.contains(why), "{languages}: {said}");
    }
}

/// Whoever asks for help quotes an id that the log has as well.
#[tokio::test]
async fn an_error_is_in_the_person_s_language_and_has_the_id_to_quote() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let unknown = Asking::portal().with("redirect_uri", "https://evil.test/cb");
    let expired = "/auth/login?flow=unknown";
    for (url, status, title) in [
        (castellan.at("/nowhere"), 404, "Nicht gefunden"),
        (unknown.at(&castellan), 400, "Diese Anfrage ist ungültig"),
        (castellan.at(expired), 400, "Diese Anmeldung ist abgelaufen"),
    ] {
        let answer = get(&mut browser, &url, "de").await;
        assert_eq!(answer.status, status, "{answer:?}");
        is_in(&answer, "de");
        assert!(answer.body.contains(title), "{title} in {answer:?}");
        let id = answer.header("castellan-decision").unwrap_or_else(|| panic!("{answer:?}"));
        assert!(answer.body.contains(&format!("<code>{id}</code>")), "{answer:?}");
        // And it leads on.
        assert!(answer.body.contains("<a class=\"second\" href=\""), "{answer:?}");
    }
    let page = get(&mut browser, &unknown.with("ui_locales", "fr").at(&castellan), "de").await;
    is_in(&page, "fr");
}

#[tokio::test]
async fn mail_is_in_the_language_of_its_recipient() {
    let smtp = Smtp::start(Manner::default()).await;
    let config = format!(
        "[mail]\nfrom = \"no-reply@example.org\"\nhost = \"127.0.0.1\"\ntls = \"none\"\nport = {}\n",
        smtp.port
    );
    let people = "
---
{resourceType: User, id: eva, userName: eva, password: pw-eva, emails: [{value: eva@example.org}], locale: es-AR}
---
{resourceType: User, id: ivo, userName: ivo, password: pw-ivo, emails: [{value: ivo@example.org}], locale: es, preferredLanguage: 'it, ca;q=0.5'}
---
{resourceType: User, id: max, userName: max, password: pw-max, emails: [{value: max@example.org}]}
";
    let documents = format!("{DOCUMENTS}{people}");
    let castellan = Castellan::start(Plan { config, documents, ..Plan::default() }).await;
    let mut browser = Browser::default();
    let url = castellan.at("/auth/forgot-password");
    // The page is German; whose language is not known gets the link in that of the page.
    for (count, (name, words)) in
        [("eva", "Alguien ha pedido"), ("ivo", "Algú ha demanat"), ("max", "neues Passwort")]
            .into_iter()
            .enumerate()
    {
        let ask = Ask::post(&url).form(&[("username", name)]).header("accept-language", "de");
        assert_eq!(browser.send(ask).await.status, 200);
        let mail = smtp.until(count + 1).await;
        assert!(mail.to.starts_with(name), "{mail:?}");
        let text = mail.text.replace("=C3=BA", "ú");
        assert!(text.contains(words), "{words} in {text}");
    }
}
