//! What a guard decides by at the moment, and how it keeps up with its schema.

use std::{sync::Arc, time::Duration};

use castellan_gate::Drift;
use castellan_proto::{Digest, Lifetime};
use tokio::time::timeout;

use super::{
    Inner,
    schema_source::{self, Built, Files, SchemaProblem, Shown},
    surface::{Gated, Surface},
};
use crate::files;

/// What one guard decides by.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) gated: Option<Gated>,
    pub(super) trouble: Option<Trouble>,
    pub(super) surface: Option<Surface>,
    made_from: Option<Digest>,
}

/// What is wrong with a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Of which kind it is; strangers may know.
    pub(crate) kind: &'static str,
    /// What it is and what to do, for whoever runs the server.
    pub(crate) text: String,
}

impl From<&SchemaProblem> for Trouble {
    fn from(problem: &SchemaProblem) -> Self {
        Self { kind: problem.kind(), text: problem.to_string() }
    }
}

impl Trouble {
    /// What is wrong with a schema that can be decided by.
    pub(crate) fn of(built: &Built) -> Option<Self> {
        let behind = built.behind.as_ref().map(|problem| {
            let text = format!("the previous schema stays in use: {problem}");
            Self { text, ..Self::from(problem) }
        });
        behind.or_else(|| {
            let lacks = built.incomplete.as_ref();
            let kind = built.drifts.first().map(Drift::as_str);
            let kind = kind.or(lacks.map(SchemaProblem::kind))?;
            let texts = built.drifts.iter().map(ToString::to_string);
            let texts: Vec<_> = texts.chain(lacks.map(ToString::to_string)).collect();
            Some(Self { kind, text: texts.join("; ") })
        })
    }
}

impl State {
    /// That of a guard that nobody has looked at.
    pub(super) fn unseen() -> Self {
        let text = "nobody has looked at its schema yet".to_owned();
        let trouble = Some(Trouble { kind: "schema_unavailable", text });
        Self { trouble, ..Self::default() }
    }

    /// The same as `before`, with a problem. It is looked at anew next time, whatever it was made
    /// from.
    fn troubled(before: &Self, problem: &SchemaProblem) -> Self {
        let mut trouble = Trouble::from(problem);
        if before.gated.is_some() {
            trouble.text = format!("the previous schema stays in use: {}", trouble.text);
        }
        Self { trouble: Some(trouble), made_from: None, ..before.clone() }
    }

    /// The same schema behind another gate.
    pub(super) fn with_gate(&self, gate: impl FnOnce(Surface) -> Gated) -> Self {
        Self { gated: self.surface.clone().map(gate), ..self.clone() }
    }
}

/// How often an open guard looks at its schema again. With the time that an API is given to answer
/// it is within a minute that all nodes decide by the same one.
const LOOK: Duration = Duration::from_secs(40);
/// How long an API is waited for until what it showed last is taken from the disk.
const SOON: Duration = Duration::from_secs(1);
/// How often a closed one does.
const RETRY: Duration = Duration::from_secs(2);

impl Inner {
    /// How long it waits until the next look.
    pub(super) fn pause(&self) -> Duration {
        let open = self.state.load().gated.is_some();
        let look = self.config.schema_refresh.map_or(LOOK, Lifetime::get);
        if open { look } else { RETRY.min(look) }
    }

    /// Takes up the newest schema. What cannot be taken up leaves the one of before in place; where
    /// there was none, the guard is closed.
    pub(super) async fn look(&self) {
        let _one_at_a_time = self.looking.lock().await;
        let mut asking =
            std::pin::pin!(schema_source::ask(&self.config, &self.parts.upstreams.roots));
        let is_closed = self.state.load().gated.is_none();
        if let Some(url) = schema_source::source(&self.config).filter(|_| is_closed) {
            if let Ok(shown) = timeout(SOON, &mut asking).await {
                return self.take_up(shown).await;
            }
            // What is on disk is decided by until the API answers.
            self.take_up(Some(Err(SchemaProblem::Awaited(schema_source::shown(url))))).await;
        }
        let shown = asking.await;
        self.take_up(shown).await;
    }

    /// The same with what the API shows.
    async fn take_up(&self, shown: Option<Result<Shown, SchemaProblem>>) {
        let mut before = self.state.load_full();
        let (config, folder) = (Arc::clone(&self.config), self.parts.folder.clone());
        let known = before.made_from;
        // A disk may take its time, and so may a large schema.
        let mut found = tokio::task::spawn_blocking(move || {
            let material = schema_source::gather(&config, &folder, shown)?;
            let is_known = known.is_some_and(|digest| digest == material.digest());
            if is_known { Ok(None) } else { material.build(&config, Files::Written).map(Some) }
        });
        let found = if let Ok(found) = timeout(files::PATIENCE, &mut found).await {
            found
        } else {
            let slow = State::troubled(&before, &SchemaProblem::Slow);
            self.tell(&before, &slow);
            self.state.store(Arc::new(slow));
            before = self.state.load_full();
            found.await
        };
        let next = match found {
            // The runtime is going down; or nothing is new.
            Err(_) | Ok(Ok(None)) => return,
            Ok(Ok(Some(built))) => self.taken_up(&before, built),
            Ok(Err(problem)) => State::troubled(&before, &problem),
        };
        self.tell(&before, &next);
        self.state.store(Arc::new(next));
    }

    fn taken_up(&self, before: &State, built: Built) -> State {
        let trouble = Trouble::of(&built);
        let made_from = Some(built.made_from);
        if before.gated.is_some()
            && before.surface.as_ref().is_some_and(|surface| surface.hash() == built.surface.hash())
        {
            return State { trouble, made_from, ..before.clone() };
        }
        for note in &built.notes {
            tracing::info!(
                guard = &*self.config.name,
                note,
                "a part of the document has no effect"
            );
        }
        let surface = built.surface;
        let required_scopes = surface.required_scopes();
        for pattern in &self.config.public {
            if !required_scopes.iter().any(|required| pattern.matches(required)) {
                let (guard, pattern) = (&*self.config.name, pattern.as_str());
                tracing::warn!(guard, pattern, "a public pattern matches nothing");
            }
        }
        let gated = Some(self.gate(surface.clone()));
        State { gated, trouble, surface: Some(surface), made_from }
    }

    /// Says what has changed, once.
    fn tell(&self, before: &State, next: &State) {
        let guard = &*self.config.name;
        match (&next.trouble, before.gated.is_some(), next.gated.is_some()) {
            (Some(trouble), _, open) if before.trouble.as_ref() != Some(trouble) => {
                let problem = &*trouble.text;
                if !open && trouble.kind == "schema_unavailable" {
                    tracing::warn!(guard, problem, "the guard is not ready");
                } else if open {
                    tracing::error!(guard, problem, "the schema of the guard has a problem");
                } else {
                    tracing::error!(guard, problem, "the guard is closed");
                }
            }
            (None, false, true) => tracing::info!(guard, "the guard is ready"),
            (None, _, _) if before.trouble.is_some() => {
                tracing::info!(guard, "the schema of the guard is valid again");
            }
            _ => {}
        }
        let hash = |state: &State| state.surface.as_ref().map(Surface::hash);
        if before.gated.is_some() && hash(before) != hash(next) {
            tracing::info!(guard, "a new schema is in use");
        }
    }
}
