//! Any template over any group of alerts: it ends, soon, the same each time, and no value writes markup.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchbell::model::{AlertStatus, GroupAlert, GroupView, Labels};
use watchbell::render::go_template::{GoTemplates, TemplateData};
use watchbell_fuzz::{NOW, parts};

/// A value in every place where one may stand.
const PLACES: &str = "<p title=\"{{ . }}\" style='color: {{ . }}'><a href='{{ . }}' id={{ . }}>{{ . }}</a>";

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let (source, texts) = (&parts[0], &parts[1..]);
    let text = |at: usize| texts.get(at).map_or("", |text| text.as_str());
    let labels = Labels::from_iter([("alertname", text(0)), ("host", text(1)), (text(2), text(3))]);
    let alert = |status| GroupAlert {
        fingerprint: "c7e68cb08e3e67f9".into(),
        status,
        labels: labels.clone(),
        annotations: Labels::from_iter([("summary", text(4)), (text(5), text(6))]),
        starts_at: NOW,
        ends_at: (status == AlertStatus::Resolved).then_some(NOW),
        generator_url: texts.get(7).cloned(),
    };
    let group = GroupView {
        key: "{}:{}".into(),
        receiver: text(8).into(),
        reason: "first notification".into(),
        labels: labels.clone(),
        alerts: vec![alert(AlertStatus::Firing), alert(AlertStatus::Resolved)],
    };
    let data = TemplateData::new(&group, "https://watchbell.example", NOW);

    let mut templates = GoTemplates::default();
    let _ = templates.check(source);
    assert_eq!(templates.text(source, &data), templates.text(source, &data));
    let _ = templates.html(source, &data);
    if templates.add("file.tmpl", source).is_ok() {
        let _ = templates.text("{{ template \"file.tmpl\" . }}{{ template \"slack.default.fallback\" . }}", &data);
    }

    let places = format!("{{{{ with .CommonLabels.alertname }}}}{PLACES}{{{{ end }}}}");
    let html = GoTemplates::default().html(&places, &data).expect("it is a good template");
    assert!(html.is_empty() || html.matches('<').count() == 3, "{html}");
    assert!(!html.to_ascii_lowercase().contains("href='javascript:"), "{html}");
});
