//! What runs beside the requests.

pub(crate) mod audit;
mod budget;
pub(crate) mod denials;
pub(crate) mod housekeeping;
pub(crate) mod logout_delivery;
pub(crate) mod usage;
