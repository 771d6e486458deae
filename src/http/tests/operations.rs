//! Health, readiness and reload.

use super::*;

async fn open(world: &World, path: &str) -> Answered {
    world.send(Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn is_ready_between_loading_and_draining() {
    let world = World::new([], tokens());
    insta::assert_snapshot!(open(&world, "/-/ready").await.problem(), @"503 the daemon is starting: the store is still being read");
    world.status.loaded();
    assert_eq!(open(&world, "/-/ready").await.body, "ready\n");
    world.status.reloaded(Timestamp::from_millis(NOW_MS), Err("password `hunter2` is short".into()));
    let answer = open(&world, "/-/ready").await;
    assert_eq!(answer.status, StatusCode::OK);
    insta::assert_snapshot!(answer.body, @r#"
    ready
    the configuration read at 2026-11-21T05:00:00.000Z was refused; the one before is in force, the log says why
    "#);
    world.status.draining();
    insta::assert_snapshot!(open(&world, "/-/ready").await.problem(), @"503 the daemon is stopping");
}

#[tokio::test]
async fn is_healthy_while_the_writer_gets_on() {
    let world = World::new([], tokens());
    assert_eq!(open(&world, "/-/healthy").await.body, "healthy\n");
    world.status.unhealthy("the writer shows no progress for 30 s");
    insta::assert_snapshot!(open(&world, "/-/healthy").await.problem(), @"503 the writer shows no progress for 30 s");
    world.status.healthy();
    assert_eq!(open(&world, "/-/healthy").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reload_reports_what_came_of_it() {
    let mut world = World::new([], tokens());
    let router = world.router.clone();
    let reload = || {
        let request = Request::post("/-/reload").header("authorization", "Bearer admin").body(Body::empty()).unwrap();
        let router = router.clone();
        tokio::spawn(async move { Answered::read(router.oneshot(request).await.unwrap()).await })
    };
    let asked = reload();
    world.reloads.recv().await.unwrap().done.send(Ok("3 sources, 2 sinks".into())).unwrap();
    let answer = asked.await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "3 sources, 2 sinks\n"));

    let asked = reload();
    world
        .reloads
        .recv()
        .await
        .unwrap()
        .done
        .send(Err("unknown sink `slak` in `receivers.ops` (line 14)".into()))
        .unwrap();
    insta::assert_snapshot!(asked.await.unwrap().problem(), @"422 the new configuration is refused, the old one stays in force: unknown sink `slak` in `receivers.ops` (line 14)");

    let asked = reload();
    drop(world.reloads.recv().await.unwrap());
    assert_eq!(asked.await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    world.reloads.close();
    assert_eq!(reload().await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let world = World::new([], tokens());
    let answer = open(&world, "/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.body.contains("# TYPE watchbell_commit_seconds histogram"), "{}", answer.body);
}
