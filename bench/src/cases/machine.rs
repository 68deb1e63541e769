//! Cases without people: token issuance, refresh, introspection.

use std::{cell::RefCell, rc::Rc};

use async_trait::async_trait;

use super::{Contestant, Same, Stage};
use crate::{
    browser::Browser,
    fault::Fault,
    load::{Done, Work},
    peers::{
        Format, Ground, Peer, Provider, Standing, bare,
        castellan::{Instance, Wants, person},
        oidc_provider,
    },
    wire::{Request, Wire},
};

/// Puts up an OAuth server with `people`.
///
/// # Errors
/// [`Fault`] if it does not start.
pub async fn provider(
    peer: Peer,
    people: usize,
    ground: &Ground,
) -> Result<(Standing, Provider), Fault> {
    match peer {
        Peer::Castellan => {
            let instance = Instance::furnish(ground, Wants { people, ..Wants::default() })?;
            Ok((instance.open().await?.into(), instance.provider))
        }
        Peer::OidcProvider => {
            let setup = oidc_provider::Setup::new(ground)?;
            Ok((setup.open().await?.into(), setup.provider))
        }
        Peer::Nginx | Peer::Haproxy | Peer::Axum => {
            Err(Fault::failed(format!("{} issues no tokens", peer.name())))
        }
    }
}

/// Nothing but an answer.
///
/// # Errors
/// [`Fault`] if the server does not start.
pub async fn hello(peer: Peer, ground: &Ground) -> Result<Contestant, Fault> {
    let server = bare::start("axum", ground).await?;
    let request = Request::new("GET", "/hello", server.address).empty();
    let stage = Same { asked: "hello", request: request.into(), needle: b"hello" };
    Ok(Contestant { peer, standing: server.into(), stage: Box::new(stage) })
}

/// Measures token issuance.
///
/// # Errors
/// [`Fault`] if the server does not start.
pub async fn token((peer, format): (Peer, Format), ground: &Ground) -> Result<Contestant, Fault> {
    let (standing, provider) = provider(peer, 0, ground).await?;
    Ok(Contestant { peer, standing, stage: Box::new(issuing(&provider, format)) })
}

/// What issuing tokens is.
#[must_use]
pub fn issuing(provider: &Provider, format: Format) -> Same {
    let (request, needle) = provider.issue(format);
    Same { asked: "a token request", request: request.into(), needle }
}

/// Introspection of one token: a JWT at Castellan; an opaque one at oidc-provider, which does not
/// introspect JWTs; at the bare server a token that it was given.
///
/// # Errors
/// [`Fault`] if the server does not start, or issues no token.
pub async fn introspect(peer: Peer, ground: &Ground) -> Result<Contestant, Fault> {
    let (standing, request) = if peer == Peer::Axum {
        let server = bare::start("axum", ground).await?;
        let token = "x".repeat(600);
        let know = Request::new("POST", "/know", server.address).body("text/plain", &token);
        Wire::to(server.address).ask(&know).await?.expect("to know a token", 204, b"")?;
        let request = Request::new("POST", "/introspect", server.address);
        let request = request.header("authorization", "Basic bWFjaGluZTpzZWNyZXQ=");
        (server.into(), request.form(&[("token", &token)]))
    } else {
        let (standing, provider) = provider(peer, 0, ground).await?;
        let format = if peer == Peer::Castellan { Format::Es256 } else { Format::Opaque };
        let token = provider.one_token(format).await?;
        let target = (provider.endpoints.introspect, format.client());
        (standing, provider.client_request(target, &[("token", &token)]))
    };
    let needle = b"\"active\":true";
    let stage = Same { asked: "introspection", request: request.into(), needle };
    Ok(Contestant { peer, standing, stage: Box::new(stage) })
}

/// Refresh: each connection has a family of its own, from a code flow.
///
/// # Errors
/// [`Fault`] if the server does not start, or issues no refresh token.
pub async fn refresh(
    (peer, connections): (Peer, usize),
    ground: &Ground,
) -> Result<Contestant, Fault> {
    let (standing, provider) = provider(peer, connections, ground).await?;
    let mut wire = Wire::to(provider.address);
    let mut newest = Vec::new();
    for at in 0..connections {
        let mut browser = Browser::default();
        // Without `openid` there is no ID token, neither now nor at a refresh.
        let scope = ("profile", &person(at));
        let answer = browser.sign_in((&provider, &mut wire), scope).await?;
        let token = answer.member("refresh_token").map(ToOwned::to_owned);
        newest.push(Rc::new(RefCell::new(token.ok_or_else(|| answer.wrong("a refresh token"))?)));
    }
    Ok(Contestant { peer, standing, stage: Box::new(Refreshing { provider, newest }) })
}

/// The newest refresh token of every connection.
struct Refreshing {
    provider: Provider,
    newest: Vec<Rc<RefCell<String>>>,
}

/// A token family.
struct Refresh {
    provider: Provider,
    newest: Rc<RefCell<String>>,
}

impl Stage for Refreshing {
    fn work(&mut self, at: usize) -> Box<dyn Work> {
        let newest = Rc::clone(&self.newest[at]);
        Box::new(Refresh { provider: self.provider.clone(), newest })
    }
}

#[async_trait(?Send)]
impl Work for Refresh {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        let request = self.provider.token_request(
            "app",
            &[("grant_type", "refresh_token"), ("refresh_token", &self.newest.borrow())],
        );
        let answer = wire.ask(&request).await?;
        let answer = answer.expect("a refresh", 200, b"\"access_token\":\"")?;
        let token = answer.member("refresh_token").ok_or_else(|| answer.wrong("a refresh"))?;
        if token == *self.newest.borrow() {
            return Err(answer.wrong("a refresh that should give a new refresh token"));
        }
        token.clone_into(&mut self.newest.borrow_mut());
        Ok(Done::Once)
    }
}
