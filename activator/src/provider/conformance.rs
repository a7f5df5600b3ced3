//! What every adapter of [`Instances`] must do. An adapter is done when [`check`] passes on what its constructor makes.

use crate::body::Body;
use crate::provider::{Instances, Lease};
use futures::future::join_all;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Calls the suite makes at once, if the adapter takes as many.
const AT_ONCE: u32 = 8;

/// Runs the whole suite. `make` gives instances at zero, new ones each time, of a function that answers any `GET` with
/// 200 and a body that is not empty. Panics with the rule that is broken.
pub async fn check(make: impl Fn() -> Arc<dyn Instances>) {
    starts_and_answers(make()).await;
    stop_is_idempotent_and_start_works_again(make()).await;
    takes_its_capacity_at_once(make()).await;
    lease_lives_as_long_as_the_call(make()).await;
    abandoned_calls_end(make()).await;
    calls_in_flight_survive_stop(make()).await;
}

async fn starts_and_answers(instances: Arc<dyn Instances>) {
    started(&instances).await;
    assert!(instances.capacity() >= 1, "capacity is at least 1 once started");
    answered(call(&instances, Lease::new(())).await).await;
}

async fn stop_is_idempotent_and_start_works_again(instances: Arc<dyn Instances>) {
    instances.stop();
    for _ in 0..2 {
        started(&instances).await;
        answered(call(&instances, Lease::new(())).await).await;
        instances.stop();
        instances.stop();
    }
}

async fn takes_its_capacity_at_once(instances: Arc<dyn Instances>) {
    started(&instances).await;
    let count = instances.capacity().min(AT_ONCE);
    let responses = join_all((0..count).map(|_| call(&instances, Lease::new(())))).await;
    for response in responses {
        answered(response).await;
    }
}

async fn lease_lives_as_long_as_the_call(instances: Arc<dyn Instances>) {
    started(&instances).await;
    let (flag, lease) = watched();
    answered(call(&instances, lease).await).await;
    assert!(flag.load(SeqCst), "the lease is dropped when the call has ended, its body included");
}

async fn abandoned_calls_end(instances: Arc<dyn Instances>) {
    started(&instances).await;
    let (flag, lease) = watched();
    drop(instances.clone().call(get(), lease));
    assert!(flag.load(SeqCst), "a call that is dropped before it was polled drops its lease");
    let (flag, lease) = watched();
    drop(call(&instances, lease).await);
    assert!(flag.load(SeqCst), "an answer that is dropped unread drops the lease");
    answered(call(&instances, Lease::new(())).await).await;
}

async fn calls_in_flight_survive_stop(instances: Arc<dyn Instances>) {
    started(&instances).await;
    let response = call(&instances, Lease::new(())).await;
    instances.stop();
    answered(response).await;
}

async fn started(instances: &Arc<dyn Instances>) {
    if let Err(error) = instances.start().await {
        panic!("the suite's function must start: {error}");
    }
}

async fn call(instances: &Arc<dyn Instances>, lease: Lease) -> Response<Body> {
    match instances.clone().call(get(), lease).await {
        Ok(response) => response,
        Err(error) => panic!("a started function must answer: {error}"),
    }
}

async fn answered(response: Response<Body>) {
    assert_eq!(response.status(), StatusCode::OK);
    match response.into_body().collect().await {
        Ok(body) => assert!(!body.to_bytes().is_empty(), "the answer's body arrives whole"),
        Err(error) => panic!("the answer's body must arrive: {error}"),
    }
}

fn get() -> Request<Body> {
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("suite.test"));
    request
}

/// A lease, and whether it was dropped.
fn watched() -> (Arc<AtomicBool>, Lease) {
    struct Watch(Arc<AtomicBool>);
    impl Drop for Watch {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let flag = Arc::new(AtomicBool::new(false));
    (flag.clone(), Lease::new(Watch(flag)))
}
