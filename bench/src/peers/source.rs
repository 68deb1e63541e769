//! Data sources that several Castellans share, and that this driver looks into.

use std::{path::PathBuf, process::Command};

use super::{
    Ground,
    castellan::Data,
    postgres::{Client, Postgres},
};
use crate::{fault::Fault, packages, process::said_meanwhile};

/// The kinds of data sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A single file.
    Sqlite,
    /// A server of the case's own.
    Postgres,
    /// A server that a variable names.
    MongoDb,
    /// A server that a variable names.
    DynamoDb,
}

impl Engine {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MongoDb => "MongoDB",
            Self::DynamoDb => "DynamoDB",
        }
    }
}

/// A data source that is there. Dropping it ends its server.
pub struct Source {
    /// The data source in Castellan's settings, with one master key for all nodes.
    pub data: Data,
    engine: Engine,
    look: Option<Look>,
    _server: Option<Postgres>,
}

/// How it is looked into.
#[derive(Clone)]
enum Look {
    File(PathBuf),
    Server(Client),
}

impl Source {
    /// A new one; PostgreSQL with `settings` besides what it comes with.
    ///
    /// # Errors
    /// [`Fault::Missing`] if this machine has no such engine.
    pub async fn open(engine: Engine, ground: &Ground, settings: &[&str]) -> Result<Self, Fault> {
        match engine {
            Engine::Sqlite => {
                let file = ground.folder()?.join("castellan.db");
                let data = Data::shared(format!("sqlite://{}", file.display()));
                Ok(Self { data, engine, look: Some(Look::File(file)), _server: None })
            }
            Engine::Postgres => {
                let server = Postgres::start(ground, settings).await?;
                let (data, look) = (Data::shared(server.url()), Look::Server(server.client()));
                Ok(Self { data, engine, look: Some(look), _server: Some(server) })
            }
            Engine::MongoDb => {
                let server = address("CASTELLAN_TEST_MONGODB")?;
                let name = format!("bench_{}", std::process::id());
                let data = Data::shared(format!("{}/{name}", server.trim_end_matches('/')));
                Ok(Self { data, engine, look: None, _server: None })
            }
            Engine::DynamoDb => {
                let server = address("CASTELLAN_TEST_DYNAMODB")?;
                let name = format!("bench_{}", std::process::id());
                let url = format!("dynamodb://local?table={name}&endpoint={server}");
                Ok(Self { data: Data::shared(url), engine, look: None, _server: None })
            }
        }
    }

    /// Has what [`Source::ask`] needs.
    ///
    /// # Errors
    /// [`Fault::Missing`] if it cannot be had.
    pub fn can_be_asked(&self) -> Result<(), Fault> {
        match &self.look {
            Some(Look::File(_)) => packages::debian(("sqlite3", "-version"), "sqlite3"),
            // It comes with the server.
            Some(Look::Server(_)) => Ok(()),
            None => Err(Fault::Missing(format!("{} is not looked into", self.engine.name()))),
        }
    }

    /// What `sql` comes to: a line for each row, with `|` between its columns.
    ///
    /// # Errors
    /// [`Fault::Failed`] with the output if it cannot be read.
    pub async fn ask(&self, sql: &str) -> Result<String, Fault> {
        let command = match &self.look {
            None => return Err(Fault::failed(format!("{} knows no SQL", self.engine.name()))),
            Some(Look::File(file)) => {
                let mut command = Command::new("sqlite3");
                // A user's own settings have no effect.
                command.args(["-init", "/dev/null", "-batch", "-readonly"]);
                command.args(["-list", "-separator", "|", "-noheader"]);
                command.arg(file).arg(sql);
                command
            }
            Some(Look::Server(client)) => {
                let mut command = client.command();
                command.args(["-c", sql]);
                command
            }
        };
        said_meanwhile(command).await
    }

    /// Which engine it is.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }
}

/// The address in `variable`, which `cargo xtask bench` sets where a case needs it.
fn address(variable: &str) -> Result<String, Fault> {
    std::env::var(variable).map_err(|_| Fault::Missing(format!("{variable} is not set")))
}
