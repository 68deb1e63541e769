//! What the documents and `packaging/` have for whoever runs the server, held to what it does.

mod commands;
mod containerfile;
mod fences;
mod identity_in_go;
mod newcomer;
mod reference;
mod shell;
mod systemd;
