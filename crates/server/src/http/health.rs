//! Whether the server is up, and whether it can serve.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::{app::App, guards::Guard};

/// `/healthz`: the process answers.
pub(super) async fn alive() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// `/readyz`: the store responds, this node can write to it, and the clock is right. A guard that
/// is closed because of its schema does not make the node unready; it is named with the kind of its
/// problem.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let (guards, problems) = guards(&app);
    let issuer = app.issuer();
    let (store, writes) = (issuer.liveness().hears(), issuer.readiness().can_write());
    let clock = issuer.check_clock().is_ok();
    let mut body = json!({"store": store, "writes": writes, "clock": clock, "guards": guards});
    // An API that does not respond only affects requests to it.
    let upstreams =
        |guard: &Guard| Some((guard.config.name.clone(), json!(guard.upstream_is_well()?)));
    body["upstreams"] = app.guards().iter().filter_map(upstreams).collect::<Map<_, _>>().into();
    // What is wrong, of which kind; the rest is in the log.
    if !problems.is_empty() {
        body["guard_problems"] = problems.into();
    }
    if store && writes && clock {
        return Json(body).into_response();
    }
    let wait = [(header::RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, wait, Json(body)).into_response()
}

/// Which guards are ready, at every site where they exist, and the kinds of their problems.
fn guards(app: &App) -> (Map<String, Value>, Map<String, Value>) {
    let (mut ready, mut problems) = (Map::new(), Map::new());
    for guard in app.guards() {
        let name = &guard.config.name;
        let elsewhere = ready.get(name).is_none_or(|ready| *ready == true);
        ready.insert(name.clone(), json!(elsewhere && guard.is_ready()));
        if let Some(trouble) = guard.trouble() {
            problems.insert(name.clone(), json!(trouble.kind));
        }
    }
    (ready, problems)
}
