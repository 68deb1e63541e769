//! How the sign-in of a site looks (`docs/contracts/aidbox.md` §2.6, `AuthConfig`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::time::{Duration, Instant};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::DOCUMENTS,
    wire::{Answer, Ask},
};

const CONFIG: &str = r#"
resourceType: AuthConfig
id: look
asidCookieMaxAge: 432000
theme:
  brand: Choir <b>Aurora</b>
  title: Welcome, "singers" & friends
  forgotPasswordUrl: https://help.test/password?a=1&b=2
"#;

async fn login_page(castellan: &Castellan) -> Answer {
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    if begun.status.is_redirection() {
        return browser.get(&castellan.at(begun.location())).await;
    }
    begun
}

/// The `Max-Age` of the session cookie that Ann gets.
async fn cookie_age(castellan: &Castellan) -> String {
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    let signed_in = browser.sign_in(castellan, &begun, ("ann", "pw-ann")).await;
    let mut cookies =
        signed_in.headers.get_all("set-cookie").iter().map(|one| one.to_str().unwrap());
    let session = cookies.rfind(|one| one.starts_with("ASID="));
    let session = session.unwrap_or_else(|| panic!("no session: {signed_in:?}"));
    let age = session.split("Max-Age=").nth(1).unwrap();
    age.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn pages_look_as_the_document_says_and_as_before_without_it() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let before = login_page(&castellan).await;
    assert!(before.body.contains("<h1>Sign in</h1>"), "{before:?}");
    assert!(!before.body.contains("Forgot your password"), "{before:?}");
    assert_eq!(cookie_age(&castellan).await, (30 * 86_400).to_string());
    let applied = castellan.cli_with(&["apply", "-f", "-"], CONFIG);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let began = Instant::now();
    let page = loop {
        let page = login_page(&castellan).await;
        if page.body.contains("Welcome") {
            break page;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{page:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    };
    for words in [
        "<h1><bdi>Welcome, &#34;singers&#34; &#38; friends</bdi></h1>",
        "<p><bdi>Choir &#60;b&#62;Aurora&#60;/b&#62;</bdi></p>",
        "href=\"https://help.test/password?a=1&#38;b=2\"",
    ] {
        assert!(page.body.contains(words), "{words}: {page:?}");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    assert_eq!(cookie_age(&castellan).await, "432000");
    // Other pages have the name as well.
    let account =
        Ask::get(&castellan.at("/auth/device")).header("accept", "text/html").send().await;
    assert!(account.body.contains("Choir &#60;b&#62;Aurora"), "{account:?}");
    let shown = castellan.said(&["get", "AuthConfig", "look"]);
    assert!(castellan.cli_with(&["apply", "-f", "-"], &shown).status.success());
}

const ACCENT: &str = "{resourceType: AuthConfig, id: look, theme: {accentColor: '#806600'}}";

#[tokio::test]
async fn a_site_has_its_own_logo_colour_texts_and_links() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    for path in ["/assets/theme.css", "/assets/logo"] {
        assert_eq!(Ask::get(&castellan.at(path)).send().await.status, 404, "{path}");
    }
    // An image is not to be trusted: whoever opens it by itself gets no script run.
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let logo = STANDARD.encode(svg);
    let document = format!(
        "
resourceType: AuthConfig
id: look
theme:
  title: Welcome
  text: Use the name on your card.
  languages: {{de: {{title: Willkommen, text: Mit dem Namen auf der Karte.}}, fr: {{title: Bienvenue}}}}
  accentColor: \"#7A1F5C\"
  logo: data:image/svg+xml;base64,{logo}
  links:
    - {{title: Privacy, url: \"https://aurora.test/privacy\", languages: {{de: Datenschutz}}}}
    - {{title: \"<b>Help\", url: /help}}
"
    );
    let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let start = Instant::now();
    while !login_page(&castellan).await.body.contains("Welcome") {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let mut browser = Browser::default();
    let login = browser.get(&castellan.at("/auth/login")).await;
    for (language, words) in [
        ("en", ["<bdi>Welcome</bdi>", "Use the name on your card.", "<bdi>Privacy</bdi>"]),
        ("de", ["<bdi>Willkommen</bdi>", "Mit dem Namen auf der Karte.", "<bdi>Datenschutz</bdi>"]),
        ("fr", ["<bdi>Bienvenue</bdi>", "Use the name on your card.", "<bdi>Privacy</bdi>"]),
    ] {
        let ask = Ask::get(&castellan.at(login.location())).header("accept-language", language);
        let page = browser.send(ask).await;
        for words in words.into_iter().chain([
            "<a href=\"https://aurora.test/privacy\" rel=\"noopener noreferrer\">",
            "<a href=\"/help\" rel=\"noopener noreferrer\"><bdi>&#60;b&#62;Help</bdi></a>",
        ]) {
            assert!(page.body.contains(words), "{words}: {page:?}");
        }
    }
    let page = browser.get(&castellan.at("/nowhere")).await.body;
    assert_loads(&castellan, &page, svg).await;
    let shown = castellan.said(&["get", "AuthConfig", "look"]);
    assert!(shown.contains("accentColor") && shown.contains("Datenschutz"), "{shown}");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &shown).status.success());
}

/// `page`, like every page, loads the colours and the logo of the site, of which nothing can run.
async fn assert_loads(castellan: &Castellan, page: &str, svg: &str) {
    let address = |before: &str| {
        let rest = page.split_once(before).unwrap_or_else(|| panic!("{before}: {page}")).1;
        castellan.at(rest.split('"').next().unwrap())
    };
    let styles = Ask::get(&address("<link rel=\"stylesheet\" href=\"/assets/castellan.css\">\n<link rel=\"stylesheet\" href=\"")).send().await;
    assert_eq!(styles.header("content-type"), Some("text/css; charset=utf-8"));
    assert!(styles.body.starts_with(":root {\n  --accent: #7a1f5c;\n"), "{styles:?}");
    assert!(styles.body.contains("@media (prefers-color-scheme: dark)"), "{styles:?}");
    let image = Ask::get(&address("<img src=\"")).send().await;
    assert_eq!(image.header("content-type"), Some("image/svg+xml"));
    assert_eq!(image.header("x-content-type-options"), Some("nosniff"));
    let policy = image.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && policy.ends_with("sandbox"), "{policy}");
    assert_eq!(image.body, svg);
}

#[tokio::test]
async fn what_cannot_be_kept_or_held_to_is_refused() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let refused = |members: &str, why: &str| {
        let document = format!("resourceType: AuthConfig\nid: look\n{members}\n");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8(applied.stderr).unwrap();
        assert!(!applied.status.success() && said.contains(why), "{members}: {said}");
    };
    refused("asidCookieMaxAge: 0", "asidCookieMaxAge must be from 60 to 2592000");
    refused("asidCookieMaxAge: 31536000", "asidCookieMaxAge must be from 60 to 2592000");
    refused("asidCookieMaxAge: 1d", "asidCookieMaxAge");
    refused("theme: {styleUrl: \"https://cdn.test/x.css\"}", "styleUrl is not supported");
    refused("theme: {brand: \"\"}", "theme.brand must have");
    refused("theme: {title: \"a\\tb\"}", "theme.title must have");
    refused("theme: {logo: x}", "theme.logo must be a data: URL");
    refused("theme: {text: \" \"}", "theme.text must have");
    refused("theme: {accentColor: red}", "theme.accentColor must be a colour such as");
    // What is proposed is taken.
    refused("theme: {accentColor: \"#ffcc00\"}", "#806600 can");
    assert!(castellan.cli_with(&["apply", "-f", "-"], ACCENT).status.success());
    assert!(castellan.cli(&["delete", "AuthConfig", "look"]).status.success());
    refused(
        "theme: {languages: {it: {title: Ciao}}}",
        "the pages of this site are in en, ca, es, de, fr",
    );
    refused("theme: {languages: {de: {title: \"\"}}}", "theme.languages.de.title must have");
    refused(
        "theme: {links: [{title: A, url: \"javascript:alert(1)\"}]}",
        "theme.links[0].url must be",
    );
    refused("theme: {links: [{title: \"\", url: /a}]}", "theme.links[0].title must have");
    refused(
        "theme: {links: [{title: A, url: /a, languages: {xx: B}}]}",
        "theme.links[0].languages",
    );
    refused("twoFactor: {issuerName: x}", "twoFactor has no effect");
    for url in ["javascript:alert(1)", "//evil.test", "http://help.test", "https://a@help.test"] {
        let members = format!("theme: {{forgotPasswordUrl: \"{url}\"}}");
        refused(&members, "forgotPasswordUrl must be an https URL");
    }
    assert!(castellan.cli_with(&["apply", "-f", "-"], CONFIG).status.success());
    let second = CONFIG.replace("id: look", "id: other");
    let said = castellan.cli_with(&["apply", "-f", "-"], &second);
    assert!(!said.status.success(), "there is one");
}
