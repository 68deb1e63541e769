//! Whether the server is up, and whether it can serve.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::app::App;

/// `/healthz`: the process answers.
pub(super) async fn alive() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// `/readyz`: the store answers too, and the clock agrees with the store's. A guard that is
/// closed for its schema does not hold up the rest; it is named with the kind of its problem.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let guards: serde_json::Map<_, _> =
        app.guards().iter().map(|g| (g.config.name.clone(), json!(g.is_ready()))).collect();
    let problems: serde_json::Map<_, _> = app
        .guards()
        .iter()
        .filter_map(|guard| Some((guard.config.name.clone(), json!(guard.trouble()?.kind))))
        .collect();
    let liveness = app.issuer().liveness();
    let (store, clock) = (liveness.hears(), liveness.is_in_time());
    let status = if store && clock { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({"store": store, "clock": clock, "guards": guards});
    // What is wrong, of which kind; the rest is in the log.
    if !problems.is_empty() {
        body["guard_problems"] = problems.into();
    }
    (status, Json(body)).into_response()
}
