//! Checks every page in every state.

use super::{
    AccountPage, ConsentPage, DevicePage, FormPostPage, HOSTILE, LoginPage, LogoutPage, MARK,
    MessagePage, Page, ResetPage, STYLESHEET, SecondFactorPage, SetupPage, SignedOutPage,
    WithheldPage,
};

#[test]
fn every_state_is_drawn() {
    for (name, html) in album() {
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
        assert!(html.trim_end().ends_with("</html>"), "{name}");
        assert!(html.contains("name=\"viewport\""), "{name}");
        assert!(html.contains("/assets/castellan.css"), "{name}");
    }
}

#[test]
fn there_is_one_heading_and_one_main() {
    for (name, html) in album() {
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert_eq!(html.matches("<main").count(), 1, "{name}");
        assert_eq!(html.matches("<header").count(), 1, "{name}");
    }
}

#[test]
fn nothing_needs_more_than_the_strictest_policy_allows() {
    for (name, html) in album() {
        let html = html.to_ascii_lowercase();
        let script = match name.split_once('_') {
            Some(("form", _)) => "continue",
            Some(("signed", _)) => "farewell",
            _ => "none",
        };
        let html = html.replace(&format!("<script src=\"/assets/{script}.js\"></script>"), "");
        assert!(!html.contains("<script"), "{name}");
        assert!(!html.contains("<style"), "{name}");
        for tag in tags(&html) {
            for word in ["style", "onclick", "onload", "onerror", "onsubmit", "formaction"] {
                assert!(attribute(tag, word).is_none(), "{name}: {tag}");
            }
            if let Some(source) = attribute(tag, "src") {
                assert!(source.starts_with("/assets/"), "{name}: {tag}");
            }
        }
    }
    assert!(!STYLESHEET.contains("url(") && !STYLESHEET.contains("@import"));
    assert!(!MARK.contains("<style") && !MARK.contains("style=") && !MARK.contains("<script"));
}

#[test]
fn hostile_words_stay_words() {
    for (name, html) in album() {
        assert!(!html.contains("<archive>"), "{name}");
        assert!(!html.contains("\"&'"), "{name}");
        if name.ends_with("_hostile") {
            assert!(html.contains("Choir &#60;archive&#62; &#34;&#38;&#39;"), "{name}");
        }
    }
}

#[test]
fn every_page_has_a_hostile_state() {
    let hostile = album().iter().filter(|(name, _)| name.ends_with("_hostile")).count();
    assert_eq!(hostile, 12);
    assert!(HOSTILE.contains(['<', '"', '&', '\'']));
}

#[test]
fn every_input_has_a_label() {
    for (name, html) in album() {
        for tag in tags(&html).filter(|tag| tag.starts_with("input ")) {
            if attribute(tag, "type") == Some("hidden") {
                continue;
            }
            let Some(id) = attribute(tag, "id") else { panic!("{name}: no id in {tag}") };
            assert!(html.contains(&format!("<label for=\"{id}\">")), "{name}: {tag}");
        }
    }
}

#[test]
fn what_is_referred_to_is_there_once() {
    for (name, html) in album() {
        for tag in tags(&html) {
            for refers in ["for", "aria-describedby", "aria-labelledby"] {
                for id in attribute(tag, refers).unwrap_or_default().split(' ') {
                    let times = tags(&html).filter(|tag| attribute(tag, "id") == Some(id)).count();
                    assert!(id.is_empty() || times == 1, "{name}: {times} times {id}");
                }
            }
        }
    }
}

#[test]
fn forms_are_posted_home() {
    for (name, html) in album() {
        for tag in tags(&html).filter(|tag| tag.starts_with("form")) {
            assert_eq!(attribute(tag, "method"), Some("post"), "{name}: {tag}");
            let action = attribute(tag, "action").unwrap_or_default();
            let known = [
                "/auth/device/code",
                "/auth/login",
                "/auth/second-factor",
                "/auth/consent",
                "/auth/setup",
                "/auth/reset-password",
                "/auth/logout",
                "/account/revoke",
                "/account/password",
                "/account/sessions/end",
            ];
            let path = action.split('?').next().unwrap_or_default();
            // But for those that carry an answer to an app.
            let leaves = name.starts_with("form_post") || name.starts_with("withheld_form");
            assert!(leaves || known.contains(&path), "{name}: {tag}");
        }
    }
}

#[test]
fn a_problem_is_announced_and_tied_to_its_fields() {
    for (name, html) in album() {
        let has_alert = html.contains("role=\"alert\"");
        assert_eq!(has_alert, html.contains("aria-describedby=\"problem"), "{name}");
    }
}

#[test]
fn what_apps_load_is_out_of_sight_and_leads_nowhere() {
    let frames = [HOSTILE.to_owned(), "https://choir.example/out?iss=a&sid=b".to_owned()];
    let html = SignedOutPage { site: "Casa Aurora", frames: &frames, onward: None }.html();
    assert!(html.contains("src=\"https://choir.example/out?iss=a&#38;sid=b\""), "{html}");
    assert!(!html.contains("<archive>") && !html.contains("<script"), "{html}");
    let frames: Vec<_> = tags(&html).filter(|tag| tag.starts_with("iframe ")).collect();
    assert_eq!(frames.len(), 2);
    for frame in frames {
        assert!(frame.ends_with(" hidden"), "{frame}");
        let may = attribute(frame, "sandbox").unwrap_or("everything");
        assert_eq!(may, "allow-scripts allow-same-origin", "and not the window around it");
    }
}

#[test]
fn an_app_cannot_choose_a_dangerous_link() {
    let page = |client_uri| {
        let (_, page) = ConsentPage::samples().remove(0);
        ConsentPage { client_uri: Some(client_uri), ..page }.html()
    };
    for uri in [
        "",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "//elsewhere.example",
        "https://",
        "https://choir.example@elsewhere.example/",
        "https://choir.example\\@elsewhere.example/",
        "https://Verified by Casa Aurora",
    ] {
        assert!(!page(uri).contains("<a "), "{uri}");
    }
    let html = page("https://choir.example:8443/about?verified");
    assert!(html.contains("<a href=\"https://choir.example:8443/about?verified\""));
    assert!(html.contains(">choir.example:8443<"));
}

#[test]
fn reading_and_changing_stand_apart() {
    for (state, page) in ConsentPage::samples() {
        let html = page.html();
        let reads = page.abilities.iter().any(|ability| !ability.writes);
        let writes = page.abilities.iter().any(|ability| ability.writes);
        assert_eq!(reads, html.contains("It will be able to read"), "{state}");
        assert_eq!(writes, html.contains("It will be able to change"), "{state}");
        assert_eq!(page.abilities.is_empty(), html.contains("only sees who you are"), "{state}");
        assert_eq!(page.abilities.len(), html.matches("<code>").count(), "{state}");
    }
}

#[test]
fn text_can_be_read_on_its_ground() {
    let [light, dark] = schemes();
    for scheme in [light, dark] {
        for (text, ground, least) in [
            ("ink", "sheet", 7.0),
            ("soft", "sheet", 4.5),
            ("soft", "ground", 4.5),
            ("soft", "accent-tint", 4.5),
            ("ink", "accent-tint", 7.0),
            ("ink", "ground", 7.0),
            ("accent", "sheet", 4.5),
            ("accent-strong", "sheet", 4.5),
            ("accent", "accent-tint", 4.5),
            ("on-accent", "accent", 4.5),
            ("on-accent", "accent-strong", 4.5),
            ("alarm", "alarm-tint", 4.5),
            ("edge", "sheet", 3.0),
            ("edge", "ground", 3.0),
        ] {
            let (a, b) = (luminance(scheme, text), luminance(scheme, ground));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= least, "{text} on {ground}: {contrast:.2}");
        }
    }
}

/// Every page in every state, named `page_state`.
fn album() -> Vec<(String, String)> {
    let mut album = Vec::new();
    photograph::<LoginPage<'_>>("login", &mut album);
    photograph::<SecondFactorPage<'_>>("second_factor", &mut album);
    photograph::<ConsentPage<'_>>("consent", &mut album);
    photograph::<SetupPage<'_>>("setup", &mut album);
    photograph::<ResetPage<'_>>("reset", &mut album);
    photograph::<AccountPage<'_>>("account", &mut album);
    photograph::<DevicePage<'_>>("device", &mut album);
    photograph::<SignedOutPage<'_>>("signed_out", &mut album);
    photograph::<FormPostPage<'_>>("form_post", &mut album);
    photograph::<LogoutPage<'_>>("logout", &mut album);
    photograph::<MessagePage<'_>>("message", &mut album);
    photograph::<WithheldPage<'_>>("withheld", &mut album);
    album
}

fn photograph<P: Page>(page: &str, album: &mut Vec<(String, String)>) {
    for (state, sample) in P::samples() {
        album.push((format!("{page}_{state}"), sample.html()));
    }
}

/// The text between `<` and `>`. Values are escaped, so none contains either.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|rest| rest.split('>').next())
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// The light and the dark block of custom properties.
fn schemes() -> [&'static str; 2] {
    let mut blocks = STYLESHEET.split(":root {").skip(1);
    [blocks.next().unwrap_or_default(), blocks.next().unwrap_or_default()]
        .map(|block| block.split('}').next().unwrap_or_default())
}

/// Relative luminance as in WCAG 2.2.
fn luminance(scheme: &str, colour: &str) -> f64 {
    let Some((_, rest)) = scheme.split_once(&format!("--{colour}: #")) else {
        panic!("no colour {colour}")
    };
    let part = |at: usize| {
        let Ok(value) = u8::from_str_radix(&rest[at..at + 2], 16) else { panic!("{colour}") };
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}
