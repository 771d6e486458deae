//! Nothing a template says costs more than it may.

use super::{error, text};

#[test]
fn nothing_runs_or_grows_without_end() {
    let endless = [
        (r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#, "does a template call itself"),
        ("{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}", "1000000 steps"),
        ("{{ range 9000000000000000000 }}{{ end }}", "1000000 steps"),
        (r#"{{ $x := "0123456789abcdef" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}"#, "1048576 bytes"),
        (r#"{{ $x := list 1 }}{{ range 100 }}{{ $x = list $x $x }}{{ end }}"#, "deep in each other"),
        (r#"{{ $x := list 1 }}{{ range 30 }}{{ $x = list $x $x }}{{ end }}{{ $x }}"#, "1048576 bytes"),
        (r#"{{ $x := list 1 }}{{ range 30 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}"#, "1048576 bytes"),
        (
            r#"{{ $x := printf "%100000d" 1 }}{{ range 100000 }}{{ $x = reReplaceAll " " "  " $x }}{{ end }}"#,
            "1048576 bytes",
        ),
        (r#"{{ range $i := 100000 }}{{ match (printf "a{%d}" $i) "b" }}{{ end }}"#, ""),
        (r#"{{ range 100000 }}{{ print (printf "%1000000d" 1) "" }}{{ end }}"#, "1048576 bytes"),
        (r#"{{ $x := `\\` }}{{ range 100 }}{{ $x = js $x }}{{ end }}"#, "1048576 bytes"),
        (r#"{{ now.Format (printf "%1001d" 1) }}"#, "1000 bytes"),
        (r#"{{ match (printf "%10000d" 1) "x" }}"#, "8192 bytes"),
        (r#"{{ $x := list }}{{ range 100000 }}{{ $x = append $x (printf "%1000000d" 1) }}{{ end }}"#, "1000000 steps"),
    ];
    for (source, expected) in endless {
        let error = error(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
    for (open, close) in
        [("(", ")"), ("{{ if 1 }}", "{{ end }}"), ("{{ with 1 }}", "{{ end }}"), ("{{ range 1 }}", "{{ end }}")]
    {
        let nested = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let nested = if open == "(" { format!("{{{{ {nested} }}}}") } else { nested };
        assert!(error(&nested).contains("in each other"), "{open}");
    }
}

/// A worker of the runtime has two megabytes of stack.
#[test]
fn the_deepest_template_fits_a_small_stack() {
    let run = || {
        let open = "{{ if (and (or (not (not (eq 1 1))))) }}";
        let deep = format!(
            "{{{{ define \"a\" }}}}{}{{{{ template \"a\" . }}}}{}{{{{ end }}}}{{{{ template \"a\" . }}}}",
            open.repeat(40),
            "{{ end }}".repeat(40)
        );
        assert!(error(&deep).contains("deep"));
        let nested = format!(
            "{{{{ $x := list 1 }}}}{{{{ range 30 }}}}{{{{ $x = list $x }}}}{{{{ end }}}}{}{{{{ $x }}}}{}",
            "{{ if 1 }}".repeat(60),
            "{{ end }}".repeat(60)
        );
        assert!(text(&nested).starts_with("[[["));
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}
