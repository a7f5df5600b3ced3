//! Where events come from, beside clients that send them: each source turns something that happened into CloudEvents
//! for its sink, and loses none while the sink is away.

pub mod bucket;
