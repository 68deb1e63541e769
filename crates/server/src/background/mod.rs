//! What runs beside the requests.

mod budget;
pub(crate) mod denials;
pub(crate) mod housekeeping;
pub(crate) mod logout_delivery;
pub(crate) mod usage;
