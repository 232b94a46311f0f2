//! Who goes first, and what is said of who has something.

use std::sync::Arc;
use std::time::Duration;

use super::pool::{Kind, Pool, Ticket, Units};
use super::{Asker, turn};

fn process() -> Arc<Pool> {
    Pool::new(Kind::Process, Units::PLACE)
}

fn asker(second: u64, priority: i32, rank: u32) -> Asker {
    Asker { turn: turn(Duration::from_secs(second), priority, rank), key: format!("{priority}/{rank} after {second}").into() }
}

/// The order in which those who wait get the only place.
async fn order(asked: &[(u64, i32, u32)]) -> Vec<String> {
    let pool = process();
    let mut place = pool.ask(Units::PLACE, &asker(0, 9, 0)).wait().await;
    let askers = asked.iter().map(|(second, priority, rank)| asker(*second, *priority, *rank));
    let mut waiting: Vec<(Asker, Ticket)> = askers.map(|who| (who.clone(), pool.ask(Units::PLACE, &who))).collect();
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(place);
        let told = pool.describe(Units::PLACE);
        let next = waiting.iter().position(|(who, _)| told.contains(&format!("`{}`", who.key))).unwrap();
        let (who, mut ticket) = waiting.remove(next);
        place = ticket.wait().await;
        order.push(who.key.to_string());
    }
    order
}

#[tokio::test]
async fn the_highest_priority_goes_first_and_then_who_came_first() {
    let order = order(&[(0, 0, 0), (0, 5, 0), (1, 5, 0), (1, 0, 0)]).await;
    assert_eq!(order, ["5/0 after 0", "5/0 after 1", "0/0 after 0", "0/0 after 1"]);
}

#[tokio::test]
async fn among_equals_the_longest_way_goes_first() {
    let order = order(&[(0, 0, 1), (0, 0, 7), (0, 1, 0), (0, 0, 6)]).await;
    assert_eq!(order, ["1/0 after 0", "0/7 after 0", "0/6 after 0", "0/1 after 0"]);
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let order = order(&[(0, 0, 0), (5, 2, 0), (15, 2, 0), (25, 2, 0)]).await;
    assert_eq!(order, ["2/0 after 5", "2/0 after 15", "0/0 after 0", "2/0 after 25"]);
}

#[tokio::test]
async fn who_waits_is_told_who_has_the_places() {
    let who = |key: &str| Asker { turn: 0, key: key.into() };
    let pool = process();
    let place = pool.ask(Units::PLACE, &who("r/main/a")).wait().await;
    let told = "waits for the only place of this process, which `r/main/a` has";
    assert_eq!(pool.describe(Units::PLACE), told);
    drop(place);
    let key = Pool::new(Kind::Key("account 7".into()), Units::PLACE);
    let _place = key.ask(Units::PLACE, &who("r/main/a")).wait().await;
    assert_eq!(key.describe(Units::PLACE), "waits for the key `account 7`, which `r/main/a` has");
}
