//! Says how many deliveries lie there that were given up, as a metric for each sink. Only reads; each of
//! them has raised an alert when it was given up (`engine/delivery.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::store::Reader;
use crate::telemetry::Metrics;

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Looks at once and then again and again, for as long as the daemon runs.
pub async fn count(reader: Arc<dyn Reader>, metrics: Arc<Metrics>) {
    let mut shown = BTreeSet::new();
    loop {
        let asked = Arc::clone(&reader);
        // A store that cannot be read is reported by those who need it.
        if let Ok(Ok(counts)) = tokio::task::spawn_blocking(move || asked.dead_letters()).await {
            show(&metrics, &mut shown, &counts);
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn show(metrics: &Metrics, shown: &mut BTreeSet<String>, counts: &[(String, u64)]) {
    shown.iter().for_each(|sink| metrics.dead_letters.with_label_values(&[sink]).set(0));
    for (sink, count) in counts {
        metrics.dead_letters.with_label_values(&[sink]).set(count.cast_signed());
        shown.insert(sink.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_without_dead_letters_is_back_at_zero() {
        let (metrics, mut shown) = (Metrics::new(), BTreeSet::new());
        let lines = |metrics: &Metrics| {
            let text = metrics.render().unwrap();
            let lines = text.lines().filter(|line| line.starts_with("watchbell_dead_letters{"));
            lines.map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        show(&metrics, &mut shown, &[("ops/a".into(), 2), ("ops/b".into(), 1)]);
        insta::assert_snapshot!(lines(&metrics), @r#"watchbell_dead_letters{sink="ops/a"} 2 watchbell_dead_letters{sink="ops/b"} 1"#);
        show(&metrics, &mut shown, &[("ops/b".into(), 3)]);
        insta::assert_snapshot!(lines(&metrics), @r#"watchbell_dead_letters{sink="ops/a"} 0 watchbell_dead_letters{sink="ops/b"} 3"#);
    }
}
