//! A browser without a screen, and an app that sends people through a code flow with it.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Digest, random};

use crate::{
    answer::Answer,
    fault::Fault,
    peers::{Login, Provider},
    wire::{Request, Wire, parameter, query},
};

/// The redirect URI of the apps. Nothing listens there: the code is read from the address.
pub const BACK: &str = "https://app.example/back";
/// Steps that a sign-in takes at most.
const MOST_STEPS: usize = 12;

/// A browser's cookies.
#[derive(Clone, Default)]
pub struct Browser {
    jar: Vec<(String, String)>,
}

/// Fields and what is in them.
type Form<'a> = Vec<(&'a str, &'a str)>;

/// What a browser was shown, or where it was sent.
struct Page {
    location: Option<String>,
    text: String,
}

/// A person who signs in.
#[derive(Clone)]
pub struct Person {
    /// The person's user name.
    pub name: String,
    /// The person's password.
    pub password: &'static str,
}

/// An authorization request of an app, and what it remembers of it.
struct Begun {
    target: String,
    verifier: String,
    state: String,
}

impl Browser {
    /// Signs in for the app `of` at `provider`, through all pages, and redeems the code; returns
    /// the response of the token endpoint.
    ///
    /// # Errors
    /// [`Fault`] if any step is answered otherwise than it should be.
    pub async fn sign_in<'a>(
        &mut self,
        (provider, wire): (&Provider, &'a mut Wire),
        (scope, person): (&str, &Person),
    ) -> Result<Answer<'a>, Fault> {
        let begun = begin(provider, scope, Some("consent"));
        let mut target = begun.target.clone();
        let mut page = self.get((provider.address, &mut *wire), &target).await?;
        for _ in 0..MOST_STEPS {
            match page.location.take() {
                Some(to) if to.starts_with(BACK) => {
                    return redeem((provider, wire), (&begun, &to)).await;
                }
                Some(to) => {
                    target = local(&to);
                    page = self.get((provider.address, &mut *wire), &target).await?;
                }
                None => {
                    let (to, form) = fill(provider.login, (&target, &page.text), person)?;
                    page = self.post((provider.address, &mut *wire), (&to, &form)).await?;
                    target = to;
                }
            }
        }
        Err(Fault::failed(format!("the sign-in does not come to an end: {target}")))
    }

    /// The same where the person is signed in and has agreed: two requests.
    ///
    /// # Errors
    /// [`Fault`] if anything is asked.
    pub async fn pass<'a>(
        &mut self,
        (provider, wire): (&Provider, &'a mut Wire),
        scope: &str,
    ) -> Result<Answer<'a>, Fault> {
        let begun = begin(provider, scope, None);
        let page = self.get((provider.address, &mut *wire), &begun.target).await?;
        match &page.location {
            Some(to) if to.starts_with(BACK) => redeem((provider, wire), (&begun, to)).await,
            other => Err(Fault::failed(format!(
                "somebody who is signed in and has agreed was sent to {other:?}: {}",
                page.text
            ))),
        }
    }

    /// Opens the sign-in page of Castellan, with no app behind it; where its form goes.
    ///
    /// # Errors
    /// [`Fault`] if the page does not exist.
    pub async fn open_login(
        &mut self,
        (address, wire): (SocketAddr, &mut Wire),
    ) -> Result<String, Fault> {
        let page = self.get((address, wire), "/auth/login").await?;
        page.location.ok_or_else(|| Fault::failed(format!("no sign-in page: {}", page.text)))
    }

    /// Submits a password on the page that [`Browser::open_login`] found, and expects `status`: 401
    /// for a wrong one, 303 for the right one.
    ///
    /// # Errors
    /// [`Fault`] for any other answer.
    pub async fn try_password(
        &mut self,
        (address, wire): (SocketAddr, &mut Wire),
        (page, person, status): (&str, &Person, u16),
    ) -> Result<(), Fault> {
        let flow = parameter(page, "flow").unwrap_or_default();
        let form = [("flow", flow), ("username", &person.name), ("password", person.password)];
        let request = self.with_cookies(Request::new("POST", "/auth/login", address)).form(&form);
        wire.ask(&request).await?.expect("a password", status, b"").map(drop)
    }

    async fn get(
        &mut self,
        (address, wire): (SocketAddr, &mut Wire),
        target: &str,
    ) -> Result<Page, Fault> {
        let request = self.with_cookies(Request::new("GET", target, address)).empty();
        self.keep(wire.ask(&request).await?)
    }

    async fn post(
        &mut self,
        (address, wire): (SocketAddr, &mut Wire),
        (target, form): (&str, &[(&str, &str)]),
    ) -> Result<Page, Fault> {
        let origin = format!("http://localhost:{}", address.port());
        let request = Request::new("POST", target, address).header("origin", &origin);
        self.keep(wire.ask(&self.with_cookies(request).form(form)).await?)
    }

    fn with_cookies(&self, request: Request) -> Request {
        let request = request.header("accept", "text/html");
        if self.jar.is_empty() {
            return request;
        }
        let pairs: Vec<String> =
            self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header("cookie", &pairs.join("; "))
    }

    /// Stores the cookies of a response; anything but a page or a redirect is an error.
    fn keep(&mut self, answer: Answer<'_>) -> Result<Page, Fault> {
        for line in answer.headers("set-cookie") {
            let pair = line.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.jar.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.jar.push((name.to_owned(), value.to_owned()));
            }
        }
        let location = answer.headers("location").next().map(ToOwned::to_owned);
        match (answer.status, &location) {
            (200, None) => Ok(Page { location, text: answer.text().to_owned() }),
            (302 | 303, Some(_)) => Ok(Page { location, text: String::new() }),
            _ => Err(answer.wrong("a step of a sign-in")),
        }
    }
}

fn begin(provider: &Provider, scope: &str, prompt: Option<&str>) -> Begun {
    let verifier = URL_SAFE_NO_PAD.encode(random::<32>());
    let state = URL_SAFE_NO_PAD.encode(random::<16>());
    let challenge = Digest::of(verifier.as_bytes()).text();
    let mut pairs = vec![
        ("client_id", "app"),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", scope),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    if scope.split(' ').any(|scope| scope == "openid") {
        pairs.push(("nonce", &state));
    }
    pairs.extend(prompt.map(|prompt| ("prompt", prompt)));
    let target = format!("{}?{}", provider.endpoints.authorize, query(&pairs));
    Begun { target, verifier, state }
}

async fn redeem<'a>(
    (provider, wire): (&Provider, &'a mut Wire),
    (begun, back): (&Begun, &str),
) -> Result<Answer<'a>, Fault> {
    let code = match (parameter(back, "code"), parameter(back, "state")) {
        (Some(code), Some(state)) if state == begun.state => code,
        _ => return Err(Fault::failed(format!("the app was answered wrongly: {back}"))),
    };
    let request = provider.token_request(
        "app",
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", &begun.verifier),
        ],
    );
    wire.ask(&request).await?.expect("a code", 200, b"\"access_token\":\"")
}

/// What a person does with the page at `target`: where its form goes, and what is in it.
fn fill<'a>(
    login: Login,
    (target, text): (&'a str, &str),
    person: &'a Person,
) -> Result<(String, Form<'a>), Fault> {
    let unknown = || Fault::failed(format!("an unknown page at {target}: {text}"));
    let credentials = [("username", &*person.name), ("password", person.password)];
    match login {
        Login::Castellan => {
            let flow = parameter(target, "flow").ok_or_else(unknown)?;
            let mut form = vec![("flow", flow)];
            if text.contains("name=\"password\"") {
                form.extend(credentials);
            } else if text.contains("value=\"allow\"") {
                form.push(("decision", "allow"));
            } else {
                return Err(unknown());
            }
            Ok((target.split('?').next().unwrap_or(target).to_owned(), form))
        }
        Login::Interaction => {
            let action = text.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
            let action = action.ok_or_else(unknown)?.to_owned();
            let is_login = action.ends_with("/login");
            Ok((action, if is_login { credentials.to_vec() } else { Vec::new() }))
        }
    }
}

/// An address without its origin.
fn local(to: &str) -> String {
    match to.split_once("://").map(|(_, rest)| rest.find('/').map(|at| &rest[at..])) {
        Some(path) => path.unwrap_or("/").to_owned(),
        None => to.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_taken_off() {
        assert_eq!(local("http://localhost:80/auth?x=/y"), "/auth?x=/y");
        assert_eq!(local("/auth/login?flow=1"), "/auth/login?flow=1");
    }

    #[test]
    fn cookies_are_kept_replaced_and_dropped() {
        let mut browser = Browser::default();
        let mut keep = |head: &str| {
            let head = format!("HTTP/1.1 200 OK\r\n{head}").into_bytes();
            drop(browser.keep(Answer { status: 200, head: &head, body: b"" }).unwrap());
            browser.jar.clone()
        };
        assert_eq!(keep("Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n").len(), 2);
        assert_eq!(keep("Set-Cookie: a=3; Path=/\r\n")[1], ("a".to_owned(), "3".to_owned()));
        assert_eq!(keep("Set-Cookie: a=; Max-Age=0\r\n"), [("b".to_owned(), "2".to_owned())]);
    }
}
