//! Every named limit: its unit, where the number comes from, and what happens when it is reached.
//! Nothing else in the workspace writes such a number down.

use std::time::Duration;

/// Largest event the broker takes, in bytes of the HTTP body. Above it: 413, naming the limit.
/// CloudEvents asks intermediaries for 64 KiB; Kafka's default is 1 MiB.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Most events in one batch. Above it: 413.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// Largest body of a function's request that is held in memory while the function wakes, in bytes of all
/// requests of one revision. Above it: 503 with Retry-After.
pub const QUEUE_BYTES_MAX: u64 = 64 << 20;
/// Most requests waiting for one revision. Above it: 503 with Retry-After. The activator's depth in Knative.
pub const QUEUE_REQUESTS_MAX: usize = 10_000;
/// Longest wait in the queue. After it: 503 with Retry-After and the reason.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_secs(60);
/// Largest object of the API, in bytes of its JSON: as Kubernetes. Above it: 413.
pub const OBJECT_BYTES_MAX: usize = 3 << 20;
/// Largest component, in bytes. Above it: refused at deploy time.
pub const COMPONENT_BYTES_MAX: usize = 20 << 20;
/// Linear memory of one instance where the manifest says nothing, in bytes.
pub const MEMORY_BYTES_DEFAULT: u64 = 128 << 20;
/// Most linear memory a manifest may ask for, in bytes.
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// CPU time of one call where the manifest says nothing.
pub const CPU_DEFAULT: Duration = Duration::from_secs(10);
/// Tick of the epoch clock that interrupts guests: CPU limits are counted in these.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Wasm instances alive at once on one node; the pool has a tenth more slots, since a full pool is an error.
pub const INSTANCES_MAX: u32 = 900;
/// Open connections of the data plane. Above it: new ones wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Time a client has for its request's head.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// All headers of a request, in bytes. Above it: 431.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// stdout and stderr of one call, in bytes; more is swallowed and counted.
pub const LOG_CALL_BYTES_MAX: usize = 256 << 10;
/// How long a process that is done waits for calls into the file system that cannot be broken off. Then it ends.
pub const EXIT_WAIT_MAX: Duration = Duration::from_secs(1);
/// Rest of a request's body that is read and thrown away after an answer that did not want it, in bytes: as Go's server. Above
/// it: the connection closes with the answer.
pub const UNREAD_BYTES_MAX: usize = 256 << 10;
/// Time in which such a rest must be there, which the answer waits for. After it: the connection closes with the answer.
pub const UNREAD_TIMEOUT: Duration = Duration::from_millis(50);
/// How long a connection that closes so takes in what its client still sends, so that the client can read the answer: as
/// nginx. After it: the connection is reset.
pub const UNREAD_LINGER_MAX: Duration = Duration::from_secs(30);
/// Time that a stopping node gives to requests in flight.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// The most that one waiting request counts for in [`QUEUE_BYTES_MAX`], in bytes. What is beyond it stays with the
/// client: nobody reads a body before its call begins, and this is the window of an HTTP/2 stream.
pub const QUEUE_REQUEST_BYTES_MAX: u64 = 1 << 20;
/// What a waiting request of unknown length counts for, in bytes: one read buffer of a connection.
pub const QUEUE_REQUEST_BYTES_UNKNOWN: u64 = 64 << 10;
/// After a failed start: for this long requests get its reason at once, so that a flood is not a flood of starts.
pub const START_RETRY_DELAY: Duration = Duration::from_millis(200);
/// Target of a request, path and query, in bytes. Above it: 414.
pub const URI_BYTES_MAX: usize = 8 << 10;
/// Headers of a request, in number. Above it: 431. hyper's own default.
pub const HEADERS_MAX: usize = 100;
/// Streams at once on one HTTP/2 connection; the client holds back more.
pub const STREAMS_MAX: u32 = 100;
/// Silence on an HTTP/2 connection before it is pinged; without an answer in the same time it is closed.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Pause of the accept loop when the process has no file descriptor or memory for one more connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Part of [`DRAIN_TIMEOUT`] kept at its end, so that requests still waiting can be told 503.
pub const DRAIN_LAST_WORDS: Duration = Duration::from_secs(1);
/// Most time between the failure of a store and the end of the node, in which who asked for it is told 503.
pub const STORE_LAST_WORDS: Duration = Duration::from_secs(1);
/// Time between two scale decisions of a revision; Knative's tick. A request that finds zero is decided at once.
pub const SCALE_TICK: Duration = Duration::from_secs(2);
/// Width of one bucket of the scaler's windows, and the time between two samples; Knative's.
pub const SCALE_SAMPLE: Duration = Duration::from_secs(1);
/// Most that one decision multiplies the ready instances by; Knative's `max-scale-up-rate`. Above it: this many.
pub const SCALE_UP_RATE: f64 = 1000.0;
/// Most that one decision divides the ready instances by; Knative's `max-scale-down-rate`. Below it: this many.
pub const SCALE_DOWN_RATE: f64 = 2.0;
/// Longest window of the scaler, and longest delay of a scale-down; Knative's bound. Above it: refused.
pub const SCALE_WINDOW_MAX: Duration = Duration::from_secs(3600);
/// Scale decisions kept per revision, equal neighbours counted as one. Above it: the oldest goes.
pub const SCALE_DECISIONS_KEPT: usize = 20;
/// Longest gap between two lines of a simulated trace: it bounds the decisions that one line can cause (43,200).
/// Above it: the line is refused.
pub const SIMULATION_GAP_MAX: Duration = Duration::from_secs(24 * 3600);

// Wasm functions.

/// Linear memory of all guests of one node where its settings say nothing, in bytes. Above it: calls are not admitted.
pub const GUEST_MEMORY_BYTES_DEFAULT: u64 = 2 << 30;
/// Compilers at once. Above it: a deploy waits.
pub const COMPILES_MAX: usize = 2;
/// Address space of one compiler, in bytes: the worst seen is 360 MB, threads and arenas reserve more. Above it: it dies
/// and the deploy is refused.
pub const COMPILE_MEMORY_BYTES_MAX: u64 = 4 << 30;
/// CPU time of one compiler: 13 MB of JavaScript engine take 5 s. Above it: it is killed and the deploy is refused.
pub const COMPILE_CPU_MAX: Duration = Duration::from_secs(60);
/// Wall time of one compiler. Above it: as for CPU time.
pub const COMPILE_TIME_MAX: Duration = Duration::from_secs(120);
/// Largest compiled artifact, in bytes; about three times the component. Above it: refused at deploy time.
pub const COMPILED_BYTES_MAX: u64 = 256 << 20;
/// Compiled artifacts up to this many bytes are loaded on the thread of the request, which takes less than a hop.
pub const COMPILED_INLINE_BYTES_MAX: u64 = 8 << 20;
/// Functions in one component. Above it: refused at deploy time. Python's interpreter has 20,000.
pub const COMPONENT_FUNCTIONS_MAX: u32 = 100_000;
/// Core modules and components nested in one component. Above it: refused at deploy time.
pub const COMPONENT_MODULES_MAX: u32 = 200;
/// Linear memories of one instance. Above it: refused at deploy time.
pub const INSTANCE_MEMORIES_MAX: u32 = 8;
/// Tables of one instance. Above it: refused at deploy time.
pub const INSTANCE_TABLES_MAX: u32 = 32;
/// Core instances in one component instance. Above it: refused when it starts.
pub const INSTANCE_CORES_MAX: u32 = 64;
/// Elements of one table. Above it: refused at deploy time, or growing fails. Python's interpreter begins with 6,000.
pub const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Handles that one instance holds. Above it: the call traps.
pub const GUEST_HANDLES_MAX: usize = 4_096;
/// Bytes that one host call may copy out of a guest. Above it: the call traps.
pub const HOST_CALL_BYTES_MAX: usize = 16 << 20;
/// Random bytes of one host call. Above it: the call traps.
pub const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Writes to an answer that wait for the client; then the guest waits. Four let most guests end in one go.
pub const ANSWER_CHUNKS_MAX: usize = 4;
/// Bytes of one such write.
pub const ANSWER_CHUNK_BYTES_MAX: usize = 64 << 10;
/// Bytes of a whole answer of a function. Above it: the answer is cut.
pub const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// One line of a function's log, in bytes; longer ones are split.
pub const LOG_LINE_BYTES_MAX: usize = 8 << 10;
/// Log kept in memory for one revision, in bytes of its lines. Above it: the oldest go.
pub const LOG_REVISION_BYTES_MAX: usize = 1 << 20;
/// How often who follows a function's log looks for revisions that were made meanwhile: soon enough for a person.
pub const FUNCTION_LOG_LOOK: Duration = Duration::from_millis(500);
/// Revisions whose log is kept in memory. Above it: the log written to longest ago goes.
pub const LOG_REVISIONS_MAX: usize = 500;
/// Idle instances kept for reuse by one revision. Above it: they are dropped.
pub const IDLE_INSTANCES_MAX: usize = 64;
/// Memory above which an instance is not used again, in bytes: what a slot keeps resident is 2 MiB.
pub const REUSE_MEMORY_BYTES_MAX: u64 = 32 << 20;
/// A revision whose calls take more CPU time than this on average runs on threads of its own.
pub const HEAVY_CPU: Duration = Duration::from_millis(2);
/// A call that has used this much CPU time goes on on those threads, whatever its revision did before.
pub const HEAVY_CALL_CPU: Duration = Duration::from_millis(20);
/// Frames of an answer that wait between those threads and the connection; then the guest waits.
pub const HEAVY_FRAMES_MAX: usize = 4;
/// Bytes that must stay free on the disk of the artifact store: half of the logs' mark, so that a component that still fits
/// can also be compiled and its objects stored. Below it: 507 for pushes, functions go on.
pub const ARTIFACT_FREE_BYTES_MIN: u64 = EVENT_LOG_FREE_BYTES_MIN / 2;
/// Largest manifest of an artifact, in bytes: as the OCI distribution asks for. Above it: 413.
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// Uploads to the artifact store at once. Above it: 429.
pub const UPLOADS_MAX: usize = 32;
/// Time after which an upload that nobody continues is dropped.
pub const UPLOAD_IDLE_MAX: Duration = Duration::from_secs(300);
/// Largest value that a guest reads from a bucket in one piece, in bytes; a stream has no such bound.
pub const BLOB_INLINE_BYTES_MAX: u64 = 16 << 20;
/// Largest object that a guest writes, in bytes. Above it: the write fails.
pub const BLOB_BYTES_MAX: u64 = 256 << 20;
/// Chunks between a guest and a bucket that wait for the slower one.
pub const BLOB_CHUNKS_MAX: usize = 4;
/// Names in one page of a bucket's or store's listing.
pub const LIST_PAGE_MAX: usize = 1_000;
/// Largest key of a key-value store, in bytes. Above it: the call fails.
pub const KEY_BYTES_MAX: usize = 1_024;
/// Largest value of a key-value store, in bytes. Above it: the call fails.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Keys of one key-value store. Above it: the call fails; keys that are there can be changed and deleted.
pub const KEY_VALUE_STORE_KEYS_MAX: u64 = 100_000;
/// Bytes of all keys and values of one key-value store. Above it: as [`KEY_VALUE_STORE_KEYS_MAX`]. What is larger belongs
/// into a bucket.
pub const KEY_VALUE_STORE_BYTES_MAX: u64 = 256 << 20;
/// Key-value stores of one node that hold something. Above it: the first key of another one is refused.
pub const KEY_VALUE_STORES_MAX: u64 = 1_000;
/// Bytes of the changes that wait for the commit of the key-value stores before them. Above it: the call fails.
pub const KEY_VALUE_QUEUED_BYTES_MAX: usize = 16 << 20;
/// What such a change counts for beside its value: its key, its store's name, and who waits for it.
pub const KEY_VALUE_QUEUED_CHANGE_BYTES: usize = 2 << 10;
/// Bytes that must stay free on the disk of the key-value stores: as for buckets. Below it: what grows fails.
pub const KEY_VALUE_FREE_BYTES_MIN: u64 = BUCKET_FREE_BYTES_MIN;
/// Requests that all functions have open to the outside. Above it: a new one fails at once.
pub const OUTBOUND_REQUESTS_MAX: usize = 256;
/// Time until the head of an answer from the outside.
pub const OUTBOUND_HEAD_MAX: Duration = Duration::from_secs(30);
/// Bytes of an answer from the outside. Above it: it is cut.
pub const OUTBOUND_BYTES_MAX: u64 = 64 << 20;
/// Done ranges above a trigger's watermark. At it the dispatcher stops reading ahead for that trigger until its oldest
/// event is settled; 10,000 ranges are about half a megabyte.
pub const CURSOR_RANGES_MAX: usize = 10_000;
/// Generations of one trigger whose filters are remembered. Beyond it the oldest is forgotten, and `why` says unknown.
pub const TRIGGER_GENERATIONS_MAX: usize = 100;
/// redb's cache for the broker's state, in bytes; it is a bound, reached only by large scans.
pub const STATE_CACHE_BYTES: usize = 8 << 20;
/// How long the record of a deleted trigger is kept.
pub const TRIGGER_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long the events of a broker are kept that a start finds without an object: it was deleted while nobody could see it,
/// or its object was lost and may be brought back. After it: a start removes them. Those of a broker that is deleted while
/// the node runs go at once.
pub const BROKER_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Outcome records of the ledger that wait in memory. At it they are written at once, 64 bytes each; while the disk does not
/// take them further ones are dropped, and read as unknown.
pub const LEDGER_BUFFER: usize = 4_096;
/// Outcome records in one file of the ledger: 16 MiB. Then the next file begins, so that old ones can go.
pub const LEDGER_FILE_RECORDS: usize = (16 << 20) / 64;
/// Files of outcomes of one broker, 1 GiB in all. At it the oldest goes, also where the log still has its events: what
/// became of them reads as unknown.
pub const LEDGER_FILES_MAX: usize = 64;
/// Events whose identities are kept in memory before they are sorted into a file: about 1.5 MiB.
/// On disk they take 16 bytes an event, and go with the log's events.
pub const LEDGER_IDENTITIES: usize = 1 << 16;
/// Name of an attribute of an event, in characters. CloudEvents recommends 20; names made of Kafka headers are longer.
/// Above it: 400, naming the attribute.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 64;
/// Attributes of an event, in number: with the headers of a POST it stays below [`HEADERS_MAX`]. Above it: 400.
pub const ATTRIBUTES_MAX: usize = 64;
/// Names and values of all attributes of an event, in bytes: percent-encoded they still fit into [`HEADER_BYTES_MAX`].
/// Above it: 400.
pub const ATTRIBUTES_BYTES_MAX: usize = 16 << 10;
/// Nesting of an event in JSON, its data included. Above it: 400.
pub const JSON_DEPTH_MAX: usize = 64;
/// Replies that may follow from one event, each from the one before; Knative's `knativebrokerttl`. After the last one
/// a reply is noted and not published.
pub const BROKER_TTL: i32 = 255;
/// Longest single wait between two attempts of a delivery, whatever the trigger's back-off grows to.
pub const BACKOFF_MAX: Duration = Duration::from_secs(3600);
/// Wait after the platform had no room for a delivery; not an attempt.
pub const NOT_ADMITTED_DELAY: Duration = Duration::from_millis(100);
/// Deliveries of one trigger in flight; more of its events wait in its backlog. Far below half of
/// [`QUEUE_REQUESTS_MAX`], so that triggers cannot fill a function's queue.
pub const DELIVERIES_IN_FLIGHT_MAX: usize = 64;
/// Events of one trigger read ahead and not yet in flight. Above it: the trigger leaves the shared reader and reads
/// the log at its own pace.
pub const TRIGGER_BACKLOG_MAX: usize = 512;
/// Bytes of the events that one trigger has read ahead. Above it: as [`TRIGGER_BACKLOG_MAX`].
pub const TRIGGER_BACKLOG_BYTES_MAX: usize = 8 << 20;
/// Events of one trigger that wait, in the log, for another attempt or for room. Above it: the trigger takes no further ones
/// until some end.
pub const TRIGGER_RETRIES_MAX: usize = 1_000;
/// Those of them that failed and leave no room for others. Above it: an event that fails is copied into the state, and its
/// trigger and the log go on without it, as [`TRIGGER_COPIES_MAX`] and [`RETRY_COPIES_BYTES_MAX`] allow.
pub const TRIGGER_RETRIES_IN_LOG_MAX: usize = TRIGGER_RETRIES_MAX / 2;
/// Copies of one trigger's retrying events: a hundred bytes of memory each. Above it: they wait in the log.
pub const TRIGGER_COPIES_MAX: usize = 100_000;
/// Copies of retrying events that a node keeps, in bytes. Above it: they wait in the log.
pub const RETRY_COPIES_BYTES_MAX: u64 = 1 << 30;
/// Records that the dispatcher takes from the log at once.
pub const DISPATCH_READ_RECORDS: usize = 256;
/// Bytes that the dispatcher takes from the log at once, about.
pub const DISPATCH_READ_BYTES: usize = 4 << 20;
/// Time between two saves of the cursors; a crash delivers the events since then once more.
pub const CURSOR_FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Acknowledgements after which cursors are saved before [`CURSOR_FLUSH_INTERVAL`] is over.
pub const CURSOR_FLUSH_ACKS: usize = 1_000;
/// Deliveries of one broker that read from the disk, or note there what came of an attempt, at once. Above it: they wait in
/// order. The state has one writer, so that more of them would only hold threads, and the memory of threads.
pub const DELIVERY_DISK_TURNS_MAX: usize = 8;
/// Wait of a dispatcher whose log or state failed, before it tries again.
pub const DISPATCH_PAUSE: Duration = Duration::from_secs(1);
/// Events that a node keeps parked, in bytes. At it nothing more is parked: exhausted events wait at their triggers, whose
/// logs keep them, until some were sent again or removed.
pub const PARKED_BYTES_MAX: u64 = 1 << 30;
/// Wait of an event that the parked store has no room for, before it asks again.
pub const PARKED_PAUSE: Duration = Duration::from_secs(10);
/// Commands waiting for one broker's dispatcher; callers wait for room.
pub const DISPATCH_COMMANDS_MAX: usize = 64;
/// Largest answer of a subscriber that is read, in bytes: a reply is an event, so [`EVENT_BYTES_MAX`]. Above it: the
/// attempt failed.
pub const REPLY_BYTES_MAX: usize = EVENT_BYTES_MAX;
/// Bytes of a subscriber's answer kept in `knativeerrordata`, before base64; Knative on Kafka keeps as many.
pub const ERROR_DATA_BYTES_MAX: usize = 1024;
/// Bound of one attempt to a subscriber outside of the home where the trigger names none; Knative on Kafka has it.
pub const DELIVERY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);
/// Time to reach a host outside of the home: its name, TCP and TLS. After it: the attempt failed.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle connections kept to one subscriber outside of the home; more are closed.
pub const SINK_IDLE_CONNECTIONS_MAX: usize = 64;
/// How long such a connection is kept; servers close theirs after about as long.
pub const SINK_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Sets of `CACerts` whose connections are kept, each with the machine's certificates beside it in memory. Above it: the
/// set used longest ago is read again at its next use.
pub const SINK_TRUSTS_MAX: usize = 16;
/// Time that a client of a broker has to send its event. After it: 408.
pub const INGRESS_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Refused events remembered per node, with their reasons. Above it: the oldest goes.
pub const REFUSALS_KEPT: usize = 10_000;
/// `Retry-After` of an ingress that is busy or full, in seconds.
pub const INGRESS_RETRY_AFTER_SECONDS: u64 = 1;
/// Largest page of a listing of events. Above it: this many, and the caller asks again from the last one.
pub const EVENT_PAGE_MAX: usize = 1_000;
/// Size of a segment of the event log, in bytes; then the next file begins. Retention works in whole segments.
pub const EVENT_LOG_SEGMENT_BYTES: u64 = 64 << 20;
/// Records and bytes that the log commits with one sync, if more are waiting; see reliability figures of group commit.
pub const EVENT_LOG_COMMIT_RECORDS: usize = 4_096;
/// See [`EVENT_LOG_COMMIT_RECORDS`].
pub const EVENT_LOG_COMMIT_BYTES: usize = 1 << 20;
/// Longest time the log waits for more writers before it commits, where the commit before had several.
pub const EVENT_LOG_GATHER_MAX: Duration = Duration::from_millis(2);
/// Appends that wait for the log's committer. Above it: 429 with Retry-After.
pub const EVENT_LOG_QUEUE_APPENDS: usize = 4_096;
/// Bytes of the appends that wait. Above it: 429 with Retry-After.
pub const EVENT_LOG_QUEUE_BYTES: usize = 64 << 20;
/// Bytes of one append, which is one unit on disk. Above it: 413.
pub const EVENT_LOG_APPEND_BYTES_MAX: usize = 16 << 20;
/// Newest records that the log keeps in memory, in bytes, so that fresh events are dispatched without reading the disk.
pub const EVENT_LOG_TAIL_BYTES: usize = 8 << 20;
/// Bytes of a segment between two entries of its sparse index.
pub const EVENT_LOG_INDEX_GRAIN: u64 = 64 << 10;
/// Bytes that must stay free on the disk of a log, for state, ledger and cursors. Below it: 507, deliveries go on.
pub const EVENT_LOG_FREE_BYTES_MIN: u64 = 256 << 20;
/// How often the log notes how far it is durable, while it is written: what is damaged behind that place is told from a
/// write that a power cut tore.
pub const EVENT_LOG_NOTE_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two looks at what a broker's log may let go.
pub const RETENTION_INTERVAL: Duration = Duration::from_secs(30);
/// Notes kept per broker on answers of subscribers, for `event why`. Above it: the oldest goes.
pub const DELIVERY_NOTES_KEPT: usize = 10_000;

/// Writes that wait for the API's store. Above it: 503 with Retry-After.
pub const API_WRITES_QUEUED_MAX: usize = 2_048;
/// Writes of the API that share one commit. More wait for the next: one commit then stays below some tens of milliseconds.
pub const API_WRITES_PER_COMMIT_MAX: usize = 512;
/// Writes that cascades of deletions make in one commit. What is left goes on in the next ones.
pub const API_CASCADE_WRITES_MAX: usize = 2_048;
/// Bytes that must stay free on the disk of the API's store: a quarter of the logs' mark, so that objects can be changed
/// where events are refused, and cursors are saved where objects cannot be. Below it: 507, reads go on.
pub const API_FREE_BYTES_MIN: u64 = EVENT_LOG_FREE_BYTES_MIN / 4;
/// Cache of the API's store, in bytes: what waits for one commit, and the upper pages of its trees. Beyond it the kernel's
/// page cache serves, which takes a microsecond more a page.
pub const API_CACHE_BYTES: usize = 4 << 20;
/// Recent events kept for watches, of each kind. A watch that falls behind them gets 410 and lists again.
pub const API_RING_EVENTS_MAX: usize = 4_096;
/// The same, in bytes of JSON.
pub const API_RING_BYTES_MAX: usize = 8 << 20;
/// Snapshots kept for continue tokens; the oldest goes first, and its token gets 410. Each pins pages of the file.
pub const API_SNAPSHOTS_KEPT_MAX: usize = 16;
/// How long a snapshot is kept for the next page. After it: 410.
pub const API_SNAPSHOT_KEPT: Duration = Duration::from_secs(60);
/// Objects read, and events sent, in one go: as `kubectl` asks for.
pub const API_PAGE_OBJECTS: usize = 500;
/// The same, in bytes of JSON, where the client named no number; the object that passes it is the last. A node that starts
/// sends all its objects to some twenty informers at once.
pub const API_PAGE_BYTES: usize = 64 << 10;
/// Operations of one JSON patch: as Kubernetes. Above it: 413.
pub const API_PATCH_OPERATIONS_MAX: usize = 10_000;
/// Levels of an object that a JSON patch may make: what a reader of JSON takes. Above it: 413.
pub const API_DEPTH_MAX: usize = 127;
/// Tries of a patch that lost a race and named no version. After them: 409.
pub const API_PATCH_TRIES: usize = 16;
/// Longest watch; clients begin another one. As Kubernetes' least default.
pub const API_WATCH_MAX: Duration = Duration::from_secs(1_800);
/// How often a watch says how far it is where nothing happens.
pub const API_BOOKMARK_INTERVAL: Duration = Duration::from_secs(30);
/// How long events of objects are kept: as Kubernetes.
pub const API_EVENT_KEPT: Duration = Duration::from_secs(3_600);
/// How often older ones are looked for.
pub const API_EVENT_SWEEP: Duration = Duration::from_secs(60);
/// Open connections to the control port. Above it: new ones wait in the kernel's backlog.
pub const API_CONNECTIONS_MAX: usize = 1_024;
/// Streams of one HTTP/2 connection to the control port; each watch takes one. Above it: the client waits.
pub const API_STREAMS_MAX: u32 = 250;
/// Pause after a connection could not be accepted, for instance because all file descriptors are in use.
pub const API_ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often a silent HTTP/2 connection to the control port is asked whether it lives.
pub const API_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Deepest nesting of a trigger's filters. Beyond it the trigger is refused; evaluation can then recurse safely.
pub const FILTER_DEPTH_MAX: usize = 16;
/// Most terms (filters and attributes) of one trigger. Beyond it the trigger is refused.
pub const FILTER_TERMS_MAX: usize = 1_000;
/// Least linear memory a manifest may ask for, in bytes: below it no component starts.
pub const MEMORY_BYTES_MIN: u64 = 1 << 20;
/// Most CPU time of one call that a manifest may ask for: Knative's longest request.
pub const CPU_MAX: Duration = Duration::from_secs(600);
/// Most requests that one reused instance may serve.
pub const REUSE_REQUESTS_MAX: u32 = 1_000_000;
/// Knative's `container-concurrency-max-limit`.
pub const CONTAINER_CONCURRENCY_MAX: i64 = 1_000;
/// Knative's `revision-timeout-seconds`, for revisions that say nothing.
pub const REVISION_TIMEOUT_SECONDS_DEFAULT: i64 = 300;
/// Knative's `max-revision-timeout-seconds`.
pub const REVISION_TIMEOUT_SECONDS_MAX: i64 = 600;
/// Most retries of one delivery. Beyond it the object is refused; with any back-off it is months already.
pub const DELIVERY_RETRIES_MAX: i32 = 1_000;
/// Events are kept this long where nothing says otherwise: as Kafka's default. Longer while a trigger waits for them.
pub const RETENTION_AGE_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Events of one broker take at most this many bytes of disk where nothing says otherwise. Above it: the oldest go, but none
/// that a trigger waits for; these may fill the disk down to [`EVENT_LOG_FREE_BYTES_MIN`].
pub const RETENTION_BYTES_DEFAULT: u64 = 10 << 30;
/// How long a reconciler waits for the data plane to take over what it says is ready. Then the object's status says that
/// it is not served yet, and the reconciler looks again after [`RECONCILE_RETRY_DELAY`]. Brokers are opened one after
/// another, with a few syncs each: this is enough for some hundred that come at once.
pub const PROJECTION_WAIT_MAX: Duration = Duration::from_secs(5);
/// First wait before the data plane is told again of a change that it could not take; it doubles.
pub const PROJECTION_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Longest such wait: what has passed, a full disk for instance, is not waited for much longer.
pub const PROJECTION_RETRY_DELAY_MAX: Duration = Duration::from_secs(60);
/// How long what a revision does is gathered before its status is written: at most so often is it written.
pub const ACTIVITY_INTERVAL: Duration = Duration::from_millis(500);
/// How long a route waits for the instances that a new revision begins with before it says that it is ready. Then it says so
/// without them: a function that is slow to start, or fails to, answers for itself.
pub const INITIAL_SCALE_WAIT_MAX: Duration = Duration::from_secs(1);
/// How often a node looks for them meanwhile; most functions start within a few milliseconds.
pub const INITIAL_SCALE_LOOK: Duration = Duration::from_millis(5);
/// Time until a reconciler looks again at what waits for something that is no object, or met an error.
pub const RECONCILE_RETRY_DELAY: Duration = Duration::from_secs(2);
/// Objects of one kind that are reconciled at the same time; others wait. A node that starts reconciles all it has, and
/// each takes some tens of kilobytes meanwhile. Far above [`COMPILES_MAX`], and enough that those that wait for the data
/// plane ([`PROJECTION_WAIT_MAX`]) hold up few others.
pub const RECONCILES_AT_ONCE_MAX: u16 = 16;
/// Largest settings file of a node, in bytes. Above it: refused at start.
pub const NODE_FILE_BYTES_MAX: u64 = 1 << 20;

// Buckets.

/// Buckets of one node. Above it: `TooManyBuckets`.
pub const BUCKETS_MAX: u64 = 1_000;
/// Key of an object, in bytes of its UTF-8: as S3. Above it: `KeyTooLongError`.
pub const BUCKET_KEY_BYTES_MAX: usize = 1_024;
/// Largest object of one PUT or part, in bytes: as S3. Above it: `EntityTooLarge`.
pub const BUCKET_PUT_BYTES_MAX: u64 = 5 << 30;
/// Largest object made of parts, in bytes. Above it: `EntityTooLarge`. S3 has 5 TiB; one node's disk has less.
pub const BUCKET_OBJECT_BYTES_MAX: u64 = 512 << 30;
/// User metadata of an object, names and values, in bytes: as S3. Above it: `MetadataTooLarge`.
pub const BUCKET_METADATA_BYTES_MAX: usize = 2 << 10;
/// Highest number of a part: as S3. Above it: `InvalidArgument`.
pub const BUCKET_PARTS_MAX: u32 = 10_000;
/// Multipart uploads that are open at once. Above it: `SlowDown`; those that were forgotten
/// want an abort, or end by [`BUCKET_UPLOAD_KEPT`].
pub const BUCKET_UPLOADS_MAX: u64 = 1_000;
/// How long a multipart upload may stay open. After it: it is dropped with its parts, as most lifecycle rules on S3 do.
pub const BUCKET_UPLOAD_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Keys in one page of a listing, and keys of one multi-delete: as S3. Above it: this many; a multi-delete is refused.
pub const BUCKET_LIST_MAX: usize = 1_000;
/// Bytes that an object is written and read in at once, on a thread for blocking work.
pub const BUCKET_CHUNK_BYTES: usize = 512 << 10;
/// Writes that wait for the committer of the buckets. Above it: `SlowDown`.
pub const BUCKET_COMMITS_QUEUED_MAX: usize = 1_024;
/// Writes that share the syncs of one commit.
pub const BUCKET_COMMIT_WRITES_MAX: usize = 256;
/// Bytes that must stay free on the disk of the buckets; twice the mark of the logs, so that objects stop before events
/// do and deletes still work. Below it: 507, and S3's `SlowDown`.
pub const BUCKET_FREE_BYTES_MIN: u64 = 2 * EVENT_LOG_FREE_BYTES_MIN;
/// Changes of buckets are kept this long, and longer while a source waits for them.
pub const CHANGES_RETENTION_AGE: Duration = Duration::from_secs(24 * 3_600);
/// Changes of buckets take at most this many bytes of disk, and more while a source waits for them.
pub const CHANGES_RETENTION_BYTES: u64 = 1 << 30;
/// Open connections to the S3 endpoint. Above it: new ones wait in the kernel's backlog.
pub const S3_CONNECTIONS_MAX: usize = 1_024;
/// Time without a byte of an upload after which it is given up: `RequestTimeout`.
pub const S3_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// XML of a request to the S3 endpoint, in bytes: 10,000 parts, or 1,000 keys of 1,024 bytes. Above it: refused.
pub const S3_XML_BYTES_MAX: usize = 4 << 20;
/// Changes that a source reads, and publishes to a broker as one unit.
pub const SOURCE_BATCH_CHANGES: usize = 100;
/// Bytes of the changes that a source reads at once, about.
pub const SOURCE_BATCH_BYTES: usize = 512 << 10;
/// First wait of a source whose sink did not take an event; it doubles.
pub const SOURCE_BACKOFF: Duration = Duration::from_millis(200);
/// Longest wait of a source between two attempts: a sink that comes back is not waited for much longer.
pub const SOURCE_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// All annotations of one object, keys and values, in bytes: as Kubernetes. Above it: refused.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 << 10;
/// All values of a ConfigMap or a Secret, in bytes: as Kubernetes. Above it: refused.
pub const MAP_BYTES_MAX: usize = 1 << 20;
