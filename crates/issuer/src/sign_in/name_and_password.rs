//! What a person proves who they are by where there is no page to ask for more.

use castellan_proto::Secret;

/// A name and a password as they were sent, right or wrong.
#[derive(Clone, Copy)]
pub struct NameAndPassword<'a> {
    /// A user name, an e-mail address or an id.
    pub name: &'a str,
    /// The password.
    pub password: &'a Secret,
}
