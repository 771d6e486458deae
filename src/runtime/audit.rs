//! Says the head of the audit log, its last row's number and hash, where it outlives the store: in the
//! daemon's log and as a metric. Whoever cuts off the end of the audit log afterwards would have to
//! change that record as well. Only reads; what the hash means is in `model/audit.rs`.

use std::sync::Arc;
use std::time::Duration;

use crate::store::{PageQuery, Reader};
use crate::telemetry::Metrics;

/// Between two looks. What is cut off within this time of having been written leaves no trace here.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Looks at once and then again and again, for as long as the daemon runs.
pub async fn announce_head(reader: Arc<dyn Reader>, metrics: Arc<Metrics>) {
    let mut told = None;
    loop {
        let asked = Arc::clone(&reader);
        let newest = tokio::task::spawn_blocking(move || asked.audit(&PageQuery { cursor: None, limit: 1 })).await;
        // A store that cannot be read is reported by those who need it.
        if let Ok(Ok(page)) = newest {
            let head = page.items.into_iter().next().map(|row| (row.number, row.hash));
            metrics.audit_rows.set(head.map_or(0, |(number, _)| number.cast_signed()));
            if let Some((row, hash)) = head.filter(|_| head != told) {
                tracing::info!(row, %hash, "the audit log has a new head");
            }
            told = head;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
