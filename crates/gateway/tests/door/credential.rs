//! What becomes of what was begun with a login that does not hold any more, and what is known of tokens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use opendcre_gateway::{
    CredentialError, Credentials, JobRecord, Policy, PolicySettings, Principal, Question, TargetState,
};
use opendcre_model::{BoxFuture, Extent, Grant, Login, Subject};
use serde_json::{Value, json};

use crate::policy::{Room, person, rule};

/// Confirms a login as often as it says, and then gives its answer. It knows the token `night`.
struct Register {
    confirms: Mutex<usize>,
    then: CredentialError,
}

impl Credentials for Register {
    fn confirm<'a>(&'a self, _: &'a Subject) -> BoxFuture<'a, Result<(), CredentialError>> {
        Box::pin(async {
            let mut left = self.confirms.lock().unwrap();
            *left = left.checked_sub(1).ok_or_else(|| self.then.clone())?;
            Ok(())
        })
    }

    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Subject, CredentialError>> {
        Box::pin(async move {
            match token {
                "night" | "0123456789ab" => Ok(night()),
                "unreadable" => Err(CredentialError::Unknown { reason: "the disk is gone".to_owned() }),
                _ => Err(revoked()),
            }
        })
    }
}

fn revoked() -> CredentialError {
    CredentialError::Void { reason: "the token \"day\" was revoked".to_owned() }
}

/// A token with which racks are operated.
fn night() -> Subject {
    let extent = Extent { racks: vec!["rack_1".to_owned()], ..Extent::default() };
    Subject {
        name: "night".to_owned(),
        login: Login::Token,
        provider: "0123456789ab".to_owned(),
        groups: Vec::new(),
        grants: vec![Grant { role: "operator".to_owned(), extent }],
    }
}

impl Room {
    fn confirming(mut self, times: usize, then: CredentialError) -> Self {
        let register = Register { confirms: Mutex::new(times), then };
        self.gateway = self.gateway.with_credentials(Arc::new(register));
        self
    }

    /// What comes of switching board 1 off three times, one after the other.
    async fn switch_thrice(&self, principal: &Principal) -> Arc<JobRecord> {
        let job = self.gateway.submit(principal, self.order(&[1, 1, 1]), None).await.unwrap().job;
        self.gateway.finished(principal, job.id, Duration::from_secs(5)).await.unwrap().unwrap()
    }
}

fn codes(job: &JobRecord) -> Vec<&str> {
    job.results.iter().map(|result| result.code.as_deref().unwrap_or("ok")).collect()
}

#[tokio::test]
async fn what_is_left_of_a_job_is_refused_when_its_login_is_revoked() {
    let room = Room::new().await.confirming(1, revoked());
    let job = room.switch_thrice(&person("root")).await;
    assert_eq!(codes(&job), ["ok", "credential_revoked", "credential_revoked"]);
    assert_eq!(job.results[1].state, TargetState::Failed);
    let message = job.results[1].message.as_deref();
    assert_eq!(message, Some("the token \"day\" was revoked; nothing was sent"));
    assert_eq!(room.performed(), 1);

    let refusals = room.refusals().await;
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    let refused = &refusals[0];
    assert_eq!(
        (&refused["code"], &refused["count"], &refused["who"]["name"], &refused["action"]),
        (&json!("credential_revoked"), &json!(2), &json!("root"), &json!("control"))
    );
    assert_eq!(refused["parameters"], "device 0100 of board 00000001");
    assert_eq!(refused["request_id"], "r-1", "that of the order");
}

#[tokio::test]
async fn a_login_that_cannot_be_verified_holds_for_nothing() {
    let then = CredentialError::Unknown { reason: "the disk is gone".to_owned() };
    let room = Room::new().await.confirming(0, then);
    let job = room.switch_thrice(&person("root")).await;
    assert_eq!(codes(&job), ["auth_unavailable"; 3]);
    assert_eq!(room.performed(), 0);
    assert_eq!(room.refusals().await[0]["code"], "auth_unavailable");
}

#[tokio::test]
async fn each_target_of_a_job_is_a_matter_of_the_policy_of_its_time() {
    let room = Room::new().await;
    let order = room.order(&[1, 1]);
    // The task of the job cannot have begun: this test has not let go of its thread since.
    let root = person("root");
    let mut submitted = Box::pin(room.gateway.submit(&root, order, None));
    assert!(submitted.as_mut().now_or_never().is_none());
    let rules = vec![rule("viewer", "root", Extent::default())];
    room.gateway.replace_policy(Policy::new(PolicySettings { rules, ..PolicySettings::default() }).unwrap());
    let job = submitted.await.unwrap().job;
    let job = room.gateway.finished(&root, job.id, Duration::from_secs(5)).await.unwrap().unwrap();
    assert_eq!(codes(&job), ["forbidden", "forbidden"]);
    assert_eq!(room.performed(), 0);
}

async fn why(room: &Room, asking: &Principal, user: &str, roles: &[&str]) -> Value {
    let question = Question {
        user: Some(user.to_owned()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        action: "power".to_owned(),
        target: Some("node-1".to_owned()),
        ..Question::default()
    };
    match room.gateway.why(asking, &question).await {
        Ok(told) => json!([told.is_permitted, told.reason]),
        Err(error) => json!(error.to_string()),
    }
}

#[tokio::test]
async fn what_a_token_brings_is_known_to_those_who_may_ask_about_others() {
    let room = Room::new().await.confirming(0, revoked());
    let root = person("root");
    for token in ["token:night", "token:0123456789ab"] {
        assert_eq!(why(&room, &root, token, &[]).await, json!([true, "the role operator permits it"]));
    }
    let planned = why(&room, &root, "token:planned", &["viewer"]).await;
    assert_eq!(planned, json!([false, "none of their roles permits all of it"]));
    let revoked = why(&room, &root, "token:day", &[]).await;
    assert!(revoked.as_str().unwrap().starts_with("the token \"day\" was revoked; "), "{revoked}");
    let unknown = why(&room, &root, "token:unreadable", &[]).await;
    assert!(unknown.as_str().unwrap().contains("cannot be verified: the disk is gone"), "{unknown}");
    let refused = why(&room, &person("mara"), "token:night", &[]).await;
    assert!(refused.as_str().unwrap().contains("may not do this"), "{refused}");
}

#[tokio::test]
async fn whoever_has_a_token_may_ask_about_it() {
    let room = Room::new().await.confirming(0, revoked());
    let holder = Principal { subject: night().into(), ..person("") };
    for itself in ["night", "token:night", "token:0123456789ab"] {
        let told = why(&room, &holder, itself, &[]).await;
        assert_eq!(told, json!([true, "the role operator permits it"]), "{itself}");
    }
    for other in ["token:day", "ldap:night", "ldap:corp/night"] {
        let told = why(&room, &holder, other, &[]).await;
        assert!(told.as_str().unwrap().contains("may not do this"), "{other}: {told}");
    }
}

#[tokio::test]
async fn a_name_alone_is_nobody_in_particular_and_that_is_said() {
    let room = Room::new().await;
    let rules = vec![
        rule("admin", "root", Extent::default()),
        rule("operator", "ldap:corp/a*", Extent::default()),
        rule("viewer", "ada", Extent::default()),
        rule("operator", "oidc:sso/bob", Extent::default()),
    ];
    room.gateway.replace_policy(Policy::new(PolicySettings { rules, ..PolicySettings::default() }).unwrap());
    let root = person("root");
    assert_eq!(
        why(&room, &root, "ada", &[]).await,
        json!([false, "none of their roles permits all of it; whoever is ldap:corp/a* has more roles"])
    );
    assert_eq!(
        why(&room, &root, "bob", &[]).await,
        json!([false, "no role is granted to them; whoever is oidc:sso/bob has more roles"])
    );
    assert_eq!(why(&room, &root, "eve", &[]).await, json!([false, "no role is granted to them"]));
    assert_eq!(why(&room, &root, "ldap:lab/ada", &[]).await[1], "none of their roles permits all of it");
    assert_eq!(why(&room, &root, "ldap:corp/ada", &[]).await[0], true);

    let question =
        Question { user: Some("bob".to_owned()), action: "read".to_owned(), ..Question::default() };
    let told = room.gateway.why(&root, &question).await.unwrap();
    let reasons: Vec<_> = told.considered.iter().map(|role| role.reason.as_str()).collect();
    let others = "it is for others";
    assert_eq!(reasons, [others, others, others, "it is only for whoever is oidc:sso/bob"]);
}
