//! The gate around a service of one's own, with a verifier of one's own. `cargo run -p
//! castellan-examples --bin gate_in_front`, then ask it as it says.

use std::{convert::Infallible, error::Error, sync::Arc};

use async_trait::async_trait;
use axum::{Router, body::Body, routing::any_service};
use bytes::Bytes;
use castellan_gate::{
    Caller, Credential, Gate, GuardSchema, Identity, Rules, SchemaSettings, Unavailable, Verifier,
};
use castellan_proto::scope::Scopes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

const SCHEMA: &str = "
type Query { people: [String] }
type Mutation { createPerson(name: String): String }
";

/// Knows one key. A real one would ask whoever issues tokens.
struct OneKey;

#[async_trait]
impl Verifier for OneKey {
    async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
        let scopes = Scopes::parse("Mutation:Person:*");
        Ok(match (credential.bearer, scopes) {
            ("sesame", Ok(scopes)) => Caller::known(Identity::with_scopes(scopes)),
            _ => Caller::invalid(),
        })
    }
}

/// The API: it checks nothing, and only sees what the gate lets through.
async fn api(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Ok(body) = request.into_body().collect().await;
    let asked: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let is_write = asked["query"].as_str().is_some_and(|text| text.contains("createPerson"));
    let data = if is_write { json!({"createPerson": "p1"}) } else { json!({"people": ["Ada"]}) };
    let mut response = Response::new(Full::from(json!({"data": data}).to_string()));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let schema = GuardSchema::build(SCHEMA, &SchemaSettings::default())?;
    let public = vec!["Query:*".to_owned().try_into()?];
    let rules = Rules { public, ..Rules::default() };
    let gated = Gate::new(Arc::new(schema), rules, Arc::new(OneKey)).layer(service_fn(api));
    let gated = service_fn(move |request: Request<Body>| {
        let gated = gated.clone();
        async move { gated.oneshot(request).await.map(|response| response.map(Body::new)) }
    });
    let routes = Router::new().route("/graphql", any_service(gated));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let curl = format!("curl -s http://{address}/graphql -H 'Content-Type: application/json'");
    let write = r#"-d '{"query":"mutation { createPerson(name: \"Ada\") }"}'"#;
    println!("# A public read\n{curl} -d '{{\"query\":\"{{ people }}\"}}'");
    println!("# A write without a key is denied\n{curl} {write}");
    println!("# With the key it is allowed\n{curl} -H 'Authorization: Bearer sesame' {write}");
    axum::serve(listener, routes).await?;
    Ok(())
}
