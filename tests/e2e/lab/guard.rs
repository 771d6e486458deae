//! Ends the lab's processes when the test cannot do it: killed, timed out, aborted.
//!
//! A small shell waits at the other end of a pipe and is told about every process group
//! that starts and ends. The kernel closes the pipe together with the test, however that
//! comes about, and the shell then ends the groups that are left.

use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Asks politely, gives five seconds, then kills.
const SCRIPT: &str = r#"
groups=' '
while read -r change group; do
    case $change in
        started) groups="$groups$group " ;;
        ended) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -s TERM -- "-$group"; done
[ "$groups" = ' ' ] || sleep 5
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

/// Has the group ended together with this test.
pub fn started(group: u32) {
    tell("started", group);
}

/// The group has ended; its id may belong to someone else from now on.
pub fn ended(group: u32) {
    tell("ended", group);
}

fn tell(change: &str, group: u32) {
    // Never waited for: it ends after this process, when the pipe closes.
    static GUARD: OnceLock<Mutex<Child>> = OnceLock::new();
    let guard = GUARD.get_or_init(|| Mutex::new(start()));
    // Without its guard the lab still works, and a broken one must not fail a drop.
    if let Ok(mut guard) = guard.lock()
        && let Some(pipe) = &mut guard.stdin
    {
        let _ = writeln!(pipe, "{change} {group}");
    }
}

fn start() -> Child {
    Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of reach of the signals that a terminal or a test runner sends to the test.
        .process_group(0)
        .spawn()
        .expect("start the guard")
}
