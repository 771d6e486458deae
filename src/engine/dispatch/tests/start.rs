//! What a start puts off.

use super::*;

#[test]
fn nobody_is_told_before_the_delay_after_a_start_is_over() {
    let mut policy = plain();
    policy.dispatch_start_delay = Span::from_secs(5);
    let mut w = World::new(policy, false);
    w.s.input(Input::Started);
    w.fire("x site=1");
    w.pass(Span::from_secs(2));
    w.fire("y site=1");
    w.pass(Span::from_secs(4));
    w.fire("z site=1");
    w.pass(Span::from_secs(3));
    assert_eq!(w.told, ["5.0 ops/a: +x +y", "8.0 ops/a: +x +y +z"]);
}
