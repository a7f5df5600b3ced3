//! The data plane's request path behind one handle: what runs, and how to call it.

use crate::admit::{Admission, Busy, Entry, Gate, Limits, Live, Poke, State};
use crate::body::Body;
use crate::headers::{Direction, strip};
use crate::meter::{Sample, Totals, TotalsView, Traffic};
use crate::provider::{Lease, Provider};
use crate::respond::{Reason, Refusal, SERVER_TIMING, Timing};
use crate::route::{RouteEntry, RouteTable, choose};
use dashmap::DashMap;
use fnctl_config::limits::{QUEUE_REQUEST_BYTES_MAX, QUEUE_REQUEST_BYTES_UNKNOWN};
use fnctl_config::snapshot::{Change, ObjectKey, Revision};
use http::header::{HOST, USER_AGENT};
use http::{HeaderName, Request, Response};
use http_body::Body as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Header of an answer: the revision that served it.
pub const REVISION_HEADER: HeaderName = HeaderName::from_static("x-fnctl-revision");

/// How an activator is set up.
#[derive(Clone, Default)]
pub struct Settings {
    /// Limits of admission.
    pub limits: Limits,
    /// The scaler's ear: the first request at zero is reported at once, everything else by [`Activator::samples`].
    pub poke: Option<Poke>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Carries requests to instances, waking them if needed. Cheap to clone. Its methods want a tokio runtime around them.
#[derive(Clone, Debug)]
pub struct Activator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: Arc<dyn Provider>,
    gate: Arc<Gate>,
    routes: RouteTable,
    revisions: DashMap<ObjectKey, Known>,
    /// Of requests that reached no revision.
    totals: Totals,
}

/// A revision that runs here.
#[derive(Clone, Debug)]
struct Known {
    entry: Arc<Entry>,
    revision: Arc<Revision>,
}

/// A revision at one moment, for the scaler, metrics and people.
#[derive(Clone, Debug)]
pub struct RevisionView {
    /// What was declared.
    pub revision: Arc<Revision>,
    /// Where it stands.
    pub state: State,
    /// For how long.
    pub since: Duration,
    /// Calls that run.
    pub in_flight: u32,
    /// Requests that wait.
    pub queued: usize,
    /// Calls it takes at once, as known from its last call; 0 before its first start.
    pub capacity: u32,
    /// Its counters.
    pub totals: TotalsView,
}

impl Activator {
    /// An activator that knows no revision and no route yet.
    pub fn new(provider: Arc<dyn Provider>, settings: Settings) -> Self {
        let gate = Gate::new(&settings.limits, settings.poke);
        let (routes, revisions, totals) = (RouteTable::default(), DashMap::new(), Totals::default());
        Self(Arc::new(Inner { provider, gate, routes, revisions, totals }))
    }

    /// Takes in a change; those of brokers, triggers and sources are not its business and are ignored.
    ///
    /// A changed revision serves from zero again; who waits keeps its place, calls in flight go on. One with another
    /// uid is another revision: who waits for the older one is refused as if it were gone.
    pub fn apply(&self, change: &Change) {
        match change {
            Change::Revision(revision) => self.put(revision),
            Change::RevisionGone(key) => {
                if let Some((_, known)) = self.0.revisions.remove(key) {
                    known.entry.retire();
                }
            }
            Change::Route(route) => self.0.routes.insert(route),
            Change::RouteGone(key) => self.0.routes.remove(key),
            Change::Broker(_)
            | Change::BrokerGone(_)
            | Change::Trigger(_)
            | Change::TriggerGone(_)
            | Change::BucketSource(_)
            | Change::BucketSourceGone(_) => {}
        }
    }

    /// Calls a function in this process: the same path as a request from the network, without its network.
    ///
    /// `Ok` is an answer, whatever its status: the function was tried. `Err` means that it was not, so that trying
    /// again does nothing twice.
    pub async fn call(
        &self,
        function: &ObjectKey,
        request: Request<Body>,
        admission: Admission,
    ) -> Result<Response<Body>, Refusal> {
        let Some(route) = self.0.routes.by_key(function) else {
            return Err(self.refuse(Refusal::new(Reason::UnknownPath, format!("there is no function {function}"))));
        };
        self.call_route(&route, request, admission).await
    }

    /// Calls whatever revision the route leads to.
    pub(crate) async fn call_route(
        &self,
        route: &RouteEntry,
        mut request: Request<Body>,
        admission: Admission,
    ) -> Result<Response<Body>, Refusal> {
        let targets = &route.route.targets;
        let random = if targets.len() > 1 { rand::random() } else { 0 };
        let chosen = choose(targets, random);
        // Cloned out of the map at once: a guard held across an await would block whoever changes that part of it.
        let entry = chosen.and_then(|target| Some(self.0.revisions.get(&target.revision)?.entry.clone()));
        let Some(entry) = entry else {
            let message = match chosen {
                Some(target) => format!("revision {} is not ready on this node", target.revision),
                None => format!("route {} leads to no revision", route.route.key),
            };
            return Err(self.refuse(Refusal::new(Reason::NoRevision, message)));
        };
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, route.host.clone());
        }
        self.deliver(&entry, request, admission).await
    }

    /// The route of a normalised host.
    pub(crate) fn route_of_host(&self, host: &str) -> Option<Arc<RouteEntry>> {
        self.0.routes.by_host(host)
    }

    /// The route of a function.
    pub(crate) fn route_of_function(&self, function: &ObjectKey) -> Option<Arc<RouteEntry>> {
        self.0.routes.by_key(function)
    }

    /// Counts a refusal that concerns no revision.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Refusal {
        self.0.totals.failed(refusal.reason);
        refusal
    }

    /// Leaves zero before anybody asks (minimum scale). `false` if there is no such revision or it is not at zero.
    pub fn wake(&self, revision: &ObjectKey) -> bool {
        self.entry(revision).is_some_and(|entry| entry.wake())
    }

    /// Back to zero. Refused while calls are in flight or requests wait; nothing happens if it is there already.
    pub fn scale_to_zero(&self, revision: &ObjectKey) -> Result<(), Busy> {
        self.entry(revision).ok_or(Busy::Gone)?.stop()
    }

    /// All revisions as they are now.
    pub fn revisions(&self) -> Vec<RevisionView> {
        self.0.revisions.iter().map(|known| view(known.value())).collect()
    }

    /// One revision as it is now.
    pub fn revision(&self, key: &ObjectKey) -> Option<RevisionView> {
        self.0.revisions.get(key).map(|known| view(known.value()))
    }

    /// Ends the metering period of all revisions, and begins the next one. For one caller: the scaler.
    pub fn samples(&self) -> Vec<(ObjectKey, Sample)> {
        self.0.revisions.iter().map(|known| (known.key().clone(), known.entry.sample())).collect()
    }

    /// Ends the metering period of one revision, and begins its next one. For one caller: the scaler.
    pub fn sample(&self, key: &ObjectKey) -> Option<Sample> {
        self.entry(key).map(|entry| entry.sample())
    }

    /// Counters of requests that reached no revision.
    pub fn totals(&self) -> TotalsView {
        self.0.totals.view()
    }

    /// Refuses all who wait and all who come from now on: the node stops.
    pub fn close(&self) {
        self.0.gate.close();
    }

    /// Closes, and waits for the tasks that start instances.
    pub async fn shutdown(&self) {
        self.close();
        self.0.gate.join_starts().await;
    }

    fn put(&self, revision: &Arc<Revision>) {
        let live = || Live::new(revision.clone(), self.0.provider.instances(revision));
        let older = self.0.revisions.get(&revision.key).map(|known| known.value().clone());
        let entry = match older {
            Some(older) if older.revision == *revision => return,
            Some(older) if older.revision.uid == revision.uid => {
                older.entry.replace(live());
                older.entry
            }
            Some(older) => {
                older.entry.retire();
                self.0.gate.add(live())
            }
            None => self.0.gate.add(live()),
        };
        self.0.revisions.insert(revision.key.clone(), Known { entry, revision: revision.clone() });
    }

    fn entry(&self, revision: &ObjectKey) -> Option<Arc<Entry>> {
        self.0.revisions.get(revision).map(|known| known.entry.clone())
    }

    async fn deliver(
        &self,
        entry: &Arc<Entry>,
        request: Request<Body>,
        admission: Admission,
    ) -> Result<Response<Body>, Refusal> {
        let traffic =
            request.headers().get(USER_AGENT).map_or(Traffic::User, |agent| Traffic::of_user_agent(agent.as_bytes()));
        let permit = match entry.admit(bytes_held(&request), traffic, admission).await {
            Ok(permit) => permit,
            Err(refusal) => {
                entry.totals().failed(refusal.reason);
                return Err(refusal);
            }
        };
        let live = permit.live().clone();
        let (queue, activation, begun) = (permit.queued(), permit.activated(), Instant::now());
        let mut response = match live.instances.clone().call(request, Lease::new(permit)).await {
            Ok(mut response) => {
                strip(response.headers_mut(), Direction::Answer);
                response
            }
            Err(error) => {
                let refusal = Refusal::from(&error);
                entry.totals().failed(refusal.reason);
                if !refusal.reason.is_attempt() {
                    return Err(refusal);
                }
                tracing::debug!(revision = %entry.key, "{error}");
                refusal.response()
            }
        };
        let told = response.extensions_mut();
        let timing = told.get_or_insert_with(|| Timing { run: begun.elapsed(), ..Timing::default() });
        (timing.queue, timing.activation) = (queue, activation);
        let timing = timing.header();
        response.headers_mut().append(SERVER_TIMING, timing);
        response.headers_mut().insert(REVISION_HEADER, live.name.clone());
        entry.totals().answered(response.status());
        Ok(response)
    }
}

/// What a request holds in memory while it waits, as far as it says.
fn bytes_held(request: &Request<Body>) -> u64 {
    let declared = request.body().size_hint().exact();
    declared.unwrap_or(QUEUE_REQUEST_BYTES_UNKNOWN).min(QUEUE_REQUEST_BYTES_MAX)
}

fn view(known: &Known) -> RevisionView {
    let standing = known.entry.standing();
    RevisionView {
        revision: known.revision.clone(),
        state: standing.state,
        since: Instant::now().into_std().saturating_duration_since(standing.since),
        in_flight: standing.in_flight,
        queued: standing.waiting,
        capacity: standing.capacity,
        totals: known.entry.totals_if_any().map(Totals::view).unwrap_or_default(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
