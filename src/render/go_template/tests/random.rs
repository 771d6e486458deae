//! Random templates and values: nothing panics, and markup stays the template's.

use proptest::prelude::*;

use super::{at, data, group};
use crate::render::go_template::{GoTemplates, TemplateData, defaults, functions, go_time, layout};

const PIECES: [&str; 60] = [
    "{{",
    "}}",
    "{{-",
    " -}}",
    " ",
    ".",
    "$",
    "$x",
    ":=",
    "=",
    "|",
    "(",
    ")",
    ",",
    "\"a\"",
    "`b`",
    "'c'",
    "1",
    "-2",
    "3.5",
    "0x1",
    "nil",
    "true",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    ".Alerts",
    ".Status",
    ".GroupLabels",
    ".SortedPairs",
    ".StartsAt",
    ".x",
    "len",
    "index",
    "slice",
    "printf",
    "\"%[1]*.3d%q%x\"",
    "eq",
    "and",
    "or",
    "not",
    "toJson",
    "list",
    "dict",
    "append",
    "since",
    "date",
    "\"2006-01-02 15:04:05.000 MST\"",
    "match",
    "reReplaceAll",
    "\"own\"",
    "<a href=\"",
    "<!--",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![9 => prop::sample::select(PIECES.to_vec()).prop_map(String::from), 1 => ".{0,3}"],
        0..40,
    )
    .prop_map(|pieces| pieces.concat())
}

/// Commands that are well formed, over whatever there is.
fn commands() -> impl Strategy<Value = String> {
    let operand = prop::sample::select(vec![
        ".",
        ".Alerts",
        ".Status",
        ".CommonLabels",
        ".GroupLabels.Names",
        ".CommonLabels.SortedPairs",
        "(index .Alerts 0)",
        "(index .Alerts 1).StartsAt",
        "now",
        "(since now)",
        "nil",
        "1",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "0",
        "1.5",
        "1e300",
        "\"\"",
        "\"a\u{fc}%\"",
        "\"%[2]d%*d%x\"",
        "(list 1 \"a\" nil)",
        "(dict \"a\" 1)",
        "true",
        "(index .Alerts 0).EndsAt.Month",
        "\"[\"",
        "\"Mon 2 .999\"",
    ]);
    let functions: Vec<&str> = functions::names().collect();
    let methods = [
        ".Add",
        ".Sub",
        ".AddDate",
        ".Round",
        ".Truncate",
        ".Format",
        ".Unix",
        ".UnixNano",
        ".Remove",
        ".Names",
        ".Firing",
        ".String",
        ".Hours",
        ".Abs",
        ".Compare",
    ];
    let head = prop_oneof![
        3 => prop::sample::select(functions).prop_map(String::from),
        2 => (operand.clone(), prop::sample::select(methods.to_vec())).prop_map(|(operand, method)| format!("({operand}){method}")),
    ];
    let command = (head, prop::collection::vec(operand.clone(), 0..4))
        .prop_map(|(head, operands)| format!("{head} {}", operands.join(" ")));
    (operand, prop::collection::vec(command, 1..4)).prop_map(|(first, commands)| {
        let nested: Vec<String> = commands.iter().map(|command| format!("({command})")).collect();
        format!(
            "{{{{ {} }}}}{{{{ print {} }}}}{{{{ {first} | {} }}}}",
            commands[0],
            nested.join(" "),
            commands.join(" | ")
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_it_panic(source in prop_oneof![".{0,60}", pieces(), commands()]) {
        let mut templates = GoTemplates::default();
        let _ = templates.add("own", &source);
        let _ = templates.check(&source);
        let _ = templates.html(&source, &data());
        let first = templates.text(&source, &data());
        prop_assert_eq!(first, templates.text(&source, &data()));
    }

    /// Good templates with a byte cut out or another put in.
    #[test]
    fn no_damage_makes_it_panic(begin in 0..defaults::SOURCE.len(), length in 0..600usize, cut in 0..600usize, piece in ".{0,4}") {
        let good: Vec<char> = defaults::SOURCE.chars().skip(begin).take(length).collect();
        let cut = cut.min(good.len());
        let source: String = good[..cut].iter().chain(&piece.chars().collect::<Vec<_>>()).chain(good.iter().skip(cut + 1)).collect();
        let mut templates = GoTemplates::default();
        let _ = templates.add("own", &source);
        let _ = templates.text(&source, &data());
        let _ = templates.html("{{ template \"email.default.html\" . }}{{ template \"slack.default.fallback\" . }}", &data());
    }

    /// Whatever stands in labels, markup stays the template's.
    #[test]
    fn no_value_writes_markup(value in "[ -~\u{80}-\u{ff}]{0,20}") {
        let mut group = group();
        group.alerts[0].annotations.insert("summary", &value);
        let data = TemplateData::new(&group, "http://am", at("2026-11-21T06:00:00Z"));
        let source = "{{ with index .Alerts 0 }}<p title=\"{{ .Annotations.summary }}\" style='color: {{ .Annotations.summary }}' class={{ .Annotations.summary }}><a href='{{ .Annotations.summary }}'>{{ .Annotations.summary }}</a>{{ end }}";
        let html = GoTemplates::default().html(source, &data).unwrap();
        prop_assert_eq!(html.matches('<').count(), 3, "{}", html);
        prop_assert_eq!((html.matches('"').count(), html.matches('\'').count()), (2, 4), "{}", html);
        prop_assert!(!html.to_lowercase().contains("href='javascript:"), "{}", html);
        prop_assert_eq!(html.split("class=").nth(1).unwrap().split('>').next().unwrap().matches([' ', '=']).count(), 0, "{}", html);
    }

    #[test]
    fn a_time_reads_as_it_was_written(ms in -2_000_000_000_000i64..4_000_000_000_000, layout in prop::sample::select(vec![
        "2006-01-02T15:04:05.000Z07:00", "Mon, 02 Jan 2006 15:04:05.999 MST", "January 2, 2006 at 3:04:05.000PM (-0700)", "2006 002 15:04:05.000000",
    ])) {
        let time = go_time::Time::utc(jiff::Timestamp::from_millisecond(ms).unwrap());
        let read = layout::parse(layout, &time.format(layout)).unwrap();
        prop_assert_eq!(read.at, time.at);
    }
}
