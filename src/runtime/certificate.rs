//! Looks whether the files of the listener's certificate have changed, because the programs that renew
//! certificates tell nobody. Decides how often; what a change means is for `tls`.

use std::sync::Arc;
use std::time::Duration;

use crate::telemetry::Metrics;
use crate::tls::{Certificate, IdentityError, Listener};

/// Between two looks: two small files are read each time.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

pub async fn watch(listener: Arc<Listener>, metrics: Arc<Metrics>) {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let renewing = Arc::clone(&listener);
        match tokio::task::spawn_blocking(move || renewing.renew()).await {
            Ok(renewed) => tell(renewed, &metrics),
            Err(error) => tracing::error!(%error, "looking at the certificate failed"),
        }
    }
}

fn tell(renewed: Result<Option<Certificate>, IdentityError>, metrics: &Metrics) {
    match renewed {
        Ok(None) => {}
        Ok(Some(certificate)) => {
            metrics.certificate_expires(Some(certificate.not_after));
            tracing::info!(valid_until = %certificate.not_after, "a new certificate is in force");
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            tracing::warn!(
                error = format!("{error:#}"),
                "the new certificate cannot be used, the old one stays in force"
            );
        }
    }
}
