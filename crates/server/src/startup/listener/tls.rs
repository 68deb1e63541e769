//! TLS of a listener, which takes up new files while it runs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_rustls::TlsAcceptor;

use crate::{
    files,
    startup::tls_files::{Stamp, TlsError, TlsFiles},
};

/// How often is looked whether the files have changed.
const LOOK: Duration = Duration::from_secs(5);

/// TLS of one listener.
pub(crate) struct Tls {
    files: TlsFiles,
    /// Of new connections.
    config: ArcSwap<ServerConfig>,
    /// Tells connections that other files are in use.
    renewed: watch::Sender<()>,
    seen: Mutex<Seen>,
    /// A look that has not ended.
    looking: tokio::sync::Mutex<Option<JoinHandle<Result<(), String>>>>,
}

/// What was seen of the files last.
struct Seen {
    stamp: Stamp,
    /// What is wrong with them, which is said once.
    problem: Option<String>,
}

impl Tls {
    /// TLS by what is in `files`.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub(crate) fn open(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let stamp = files.stamp();
        let config = read(&files)?;
        Ok(Arc::new(Self {
            files,
            config: ArcSwap::from_pointee(config),
            renewed: watch::Sender::new(()),
            seen: Mutex::new(Seen { stamp, problem: None }),
            looking: tokio::sync::Mutex::default(),
        }))
    }

    /// What a new connection is accepted with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Hears when other files are in use, if that ends connections: what was accepted by client
    /// certificates is held against the new revocation lists.
    pub(super) fn renewals(&self) -> Option<watch::Receiver<()>> {
        self.files.asks_clients().then(|| self.renewed.subscribe())
    }

    /// Looks at the files for as long as it runs.
    pub(super) async fn keep_looking(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            // It is logged.
            let _ = self.look(false).await;
        }
    }

    /// Takes up the files if they have changed, or in any case if `anew`. What cannot be used leaves
    /// what is there in use.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) async fn look(self: &Arc<Self>, anew: bool) -> Result<(), String> {
        let mut looking = self.looking.lock().await;
        // A disk that hangs holds up one look and no request.
        let this = Arc::clone(self);
        let look =
            looking.get_or_insert_with(|| tokio::task::spawn_blocking(move || this.look_now(anew)));
        let Ok(looked) = timeout(files::PATIENCE, &mut *look).await else {
            return Err(format!("{}: its TLS files cannot be read in time", self.files.listener));
        };
        *looking = None;
        looked.unwrap_or(Ok(()))
    }

    fn look_now(&self, anew: bool) -> Result<(), String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.files.stamp();
        if !anew && stamp == seen.stamp {
            return seen.problem.clone().map_or(Ok(()), Err);
        }
        seen.stamp = stamp;
        let listener = &*self.files.listener;
        match read(&self.files) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                self.renewed.send_replace(());
                seen.problem = None;
                tracing::info!(listener, "the TLS files were read again and are in use");
                Ok(())
            }
            Err(error) => {
                let problem = format!("{listener}: the previous TLS files stay in use: {error}");
                if seen.problem.as_ref() != Some(&problem) {
                    tracing::error!(listener, %error, "the previous TLS files stay in use");
                }
                seen.problem = Some(problem.clone());
                Err(problem)
            }
        }
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let material = files.read()?;
    if material.key_is_exposed {
        let listener = &*files.listener;
        tracing::warn!(listener, "other users of this machine can read the private key; chmod o-r");
    }
    files.server_config(material)
}
