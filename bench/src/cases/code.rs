//! Code flows with PKCE, from the app's request to its tokens.

use async_trait::async_trait;

use super::{Contestant, Stage, machine::provider};
use crate::{
    browser::{Browser, Person},
    fault::Fault,
    load::{Done, Work},
    peers::{Ground, Peer, Provider, castellan::person},
    wire::Wire,
};

/// What the app asks for. `openid` brings an ID token, signed with RS256 by both servers.
const SCOPE: &str = "openid profile";
/// What the response of the token endpoint contains besides the access token.
const ID_TOKEN: &[u8] = b"\"id_token\":\"ey";

/// Each connection is a browser in which a person is signed in and has consented.
///
/// # Errors
/// [`Fault`] if the server does not start, or nobody can sign in.
pub async fn with_session(
    (peer, connections): (Peer, usize),
    ground: &Ground,
) -> Result<Contestant, Fault> {
    let (standing, provider) = provider(peer, connections, ground).await?;
    let mut wire = Wire::to(provider.address);
    let mut browsers = Vec::new();
    for at in 0..connections {
        let mut browser = Browser::default();
        browser.sign_in((&provider, &mut wire), (SCOPE, &person(at))).await?;
        browsers.push(browser);
    }
    let stage = SignedIn { provider, browsers };
    Ok(Contestant { peer, standing, stage: Box::new(stage) })
}

/// Each connection is a person who comes with a new browser each time.
///
/// # Errors
/// [`Fault`] if the server does not start.
pub async fn with_login(
    (peer, connections): (Peer, usize),
    ground: &Ground,
) -> Result<Contestant, Fault> {
    let (standing, provider) = provider(peer, connections, ground).await?;
    Ok(Contestant { peer, standing, stage: Box::new(Strangers { provider }) })
}

struct SignedIn {
    provider: Provider,
    browsers: Vec<Browser>,
}

struct Strangers {
    provider: Provider,
}

impl Stage for SignedIn {
    fn work(&mut self, at: usize) -> Box<dyn Work> {
        Box::new(Pass { provider: self.provider.clone(), browser: self.browsers[at].clone() })
    }
}

impl Stage for Strangers {
    fn work(&mut self, at: usize) -> Box<dyn Work> {
        Box::new(SignIn { provider: self.provider.clone(), person: person(at) })
    }
}

/// A code flow of two requests.
struct Pass {
    provider: Provider,
    browser: Browser,
}

/// Six requests to Castellan, eight to oidc-provider, which redirects after each page.
struct SignIn {
    provider: Provider,
    person: Person,
}

#[async_trait(?Send)]
impl Work for Pass {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        let answer = self.browser.pass((&self.provider, wire), SCOPE).await?;
        answer.expect("a code flow with a session", 200, ID_TOKEN)?;
        Ok(Done::Once)
    }
}

#[async_trait(?Send)]
impl Work for SignIn {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        let mut browser = Browser::default();
        let answer = browser.sign_in((&self.provider, wire), (SCOPE, &self.person)).await?;
        answer.expect("a code flow with login and consent", 200, ID_TOKEN)?;
        Ok(Done::Once)
    }
}
