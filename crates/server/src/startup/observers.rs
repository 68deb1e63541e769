//! Who observes a server, as its configuration says.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    config::{ConfigError, Loaded},
    files,
    metrics::Metrics,
    observers::Observers,
    traces::{Traces, TracesPlan},
};

/// Begins to observe as `loaded` says.
///
/// # Errors
/// [`ConfigError`] if a secret cannot be read or sent.
pub(crate) async fn open(loaded: &Loaded) -> Result<Observers, ConfigError> {
    let metrics = loaded.config.metrics.listen.map(|_| Arc::new(Metrics::new()));
    let plan = traces_plan(loaded).await?;
    let traces = plan.and_then(|plan| Traces::start(plan, metrics.as_deref()));
    Ok(Observers { metrics, traces })
}

/// Where traces go; `None` if nothing is recorded.
///
/// # Errors
/// [`ConfigError`] if a secret cannot be read or sent.
pub(crate) async fn traces_plan(loaded: &Loaded) -> Result<Option<TracesPlan>, ConfigError> {
    let config = &loaded.config.traces;
    let Some(endpoint) = config.collector() else { return Ok(None) };
    let owned = loaded.clone();
    // Not on the runtime, as they may be in files.
    let read = tokio::task::spawn_blocking(move || headers(&owned));
    let headers = match tokio::time::timeout(files::PATIENCE, read).await {
        Ok(Ok(headers)) => headers?,
        Ok(Err(_)) | Err(_) => return Err(ConfigError::Slow),
    };
    Ok(Some(TracesPlan {
        endpoint,
        headers,
        sample: config.sample.unwrap_or(1.0),
        service_name: config.service_name.clone(),
        roots: loaded.roots.clone(),
    }))
}

fn headers(loaded: &Loaded) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    for (name, secret) in &loaded.config.traces.headers {
        let wrong = |what: &str| ConfigError::Conflict(format!("traces.headers.{name}: {what}"));
        let secret = secret.resolve(&loaded.folder)?;
        let key = HeaderName::from_bytes(name.as_bytes());
        let key = key.map_err(|_| wrong("this is not the name of a header"))?;
        let value = HeaderValue::from_str(secret.expose());
        let mut value = value
            .map_err(|_| wrong("the value contains a character that is not allowed in a header"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}
