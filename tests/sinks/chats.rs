//! Chats end to end: whatever happens in between, people find one message that says in the end that it is over,
//! and the end told below it. Where a chat knows no repetition, a lost answer leaves a second message and no third.

use crate::support::fakes::chats::Chat;
use crate::support::{Api, Site, eventually};
use crate::{EVENTUALLY, PROMPTLY, ops};

/// How many messages there are after an answer was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterLoss {
    One,
    Two,
}

async fn tells_the_story(chat: Chat, is_lost: bool, expected: AfterLoss) {
    if is_lost {
        chat.lose_next_answer();
    }
    let site = Site::new(&ops(&[chat.sink()]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    eventually("a message is posted", PROMPTLY, async || (!chat.main().is_empty()).then_some(())).await;
    api.settled(EVENTUALLY).await;
    api.event("resolved", "db-1").await;
    eventually("the end is told below it", EVENTUALLY, async || (!chat.replies().is_empty()).then_some(())).await;
    api.settled(EVENTUALLY).await;

    let (main, replies) = (chat.main(), chat.replies());
    let count = if is_lost && expected == AfterLoss::Two { 2 } else { 1 };
    assert_eq!(main.len(), count, "{main:?} {:?}", chat.log());
    let last = &main[count - 1];
    assert!(last.edits >= 1 && last.text.to_lowercase().contains("resolved"), "{last:?}");
    let [reply] = replies.as_slice() else { panic!("{} replies: {replies:?}", replies.len()) };
    assert_eq!(reply.parent.as_ref(), Some(&last.id), "{:?}", chat.log());
    assert!(reply.text.to_lowercase().contains("resolved"), "{reply:?}");
    let is_refused = |line: &&String| line.ends_with(" 401") || line.ends_with(" 404");
    assert_eq!(chat.log().iter().find(is_refused), None, "{:?}", chat.log());
}

#[tokio::test]
async fn telegram() {
    tells_the_story(Chat::telegram().await, false, AfterLoss::Two).await;
    tells_the_story(Chat::telegram().await, true, AfterLoss::Two).await;
}

#[tokio::test]
async fn mattermost() {
    tells_the_story(Chat::mattermost().await, false, AfterLoss::One).await;
    tells_the_story(Chat::mattermost().await, true, AfterLoss::One).await;
}

#[tokio::test]
async fn discord() {
    tells_the_story(Chat::discord().await, false, AfterLoss::One).await;
    tells_the_story(Chat::discord().await, true, AfterLoss::One).await;
}

#[tokio::test]
async fn rocketchat() {
    tells_the_story(Chat::rocketchat().await, false, AfterLoss::One).await;
    tells_the_story(Chat::rocketchat().await, true, AfterLoss::One).await;
}

#[tokio::test]
async fn matrix() {
    tells_the_story(Chat::matrix().await, false, AfterLoss::One).await;
    tells_the_story(Chat::matrix().await, true, AfterLoss::One).await;
}

#[tokio::test]
async fn webex() {
    tells_the_story(Chat::webex().await, false, AfterLoss::Two).await;
    tells_the_story(Chat::webex().await, true, AfterLoss::Two).await;
}

#[tokio::test]
async fn zoom_fetches_its_token_first() {
    let chat = Chat::zoom().await;
    tells_the_story(chat, false, AfterLoss::Two).await;
    tells_the_story(Chat::zoom().await, true, AfterLoss::Two).await;
}
