//! The time at the service: every response states it in its `Date` (RFC 9110 §6.6.1), to the
//! second.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::BeforeDeserializationInterceptorContextRef,
    },
    error::BoxError,
    primitives::{DateTime, DateTimeFormat},
};

use super::{Dynamo, error::DriverError, item::at};

/// Half of the unit that a `Date` has: it is wrong by no more than that if it is put in the middle.
const HALF_A_SECOND: u64 = 500;

/// Reads the `Date` of each response.
#[derive(Debug)]
struct DateSeen(Arc<AtomicU64>);

impl Intercept for DateSeen {
    fn name(&self) -> &'static str {
        "date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        if let Some(seconds) = date.and_then(|date| u64::try_from(date.secs()).ok()) {
            self.0.store(seconds, Ordering::Release);
        }
        Ok(())
    }
}

impl Dynamo {
    /// What time it is at the service, in milliseconds since the Unix epoch.
    pub(super) async fn time_there(&self) -> Result<u64, DriverError> {
        let seen = Arc::new(AtomicU64::new(0));
        self.client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(at("meta".to_owned())))
            .projection_expression("pk")
            .customize()
            .interceptor(DateSeen(Arc::clone(&seen)))
            .send()
            .await?;
        match seen.load(Ordering::Acquire) {
            0 => Err(DriverError::Damaged("Date")),
            seconds => Ok(seconds.saturating_mul(1_000).saturating_add(HALF_A_SECOND)),
        }
    }
}
