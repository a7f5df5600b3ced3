//! A request's body as it comes over its connection. Whoever answers without reading all of it leaves a rest: what becomes of
//! that is the connection's business (`serve/unread.rs`), so it is handed back instead of dropped.

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

pub(super) struct Network {
    /// None once it has ended.
    incoming: Option<Incoming>,
    rest: Rest,
}

/// Where the rest of a body is, once nobody reads it any more.
#[derive(Clone, Default)]
pub(crate) struct Rest(Arc<Mutex<Option<Incoming>>>);

impl Network {
    pub(super) fn new(incoming: Incoming) -> (Self, Rest) {
        let rest = Rest::default();
        (Self { incoming: Some(incoming), rest: rest.clone() }, rest)
    }

    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.incoming = None;
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(|incoming| incoming.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), |incoming| incoming.size_hint())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let rest = self.incoming.take().filter(|incoming| !incoming.is_end_stream());
        *self.rest.0.lock().unwrap_or_else(PoisonError::into_inner) = rest;
    }
}

impl Rest {
    /// Whether nobody reads any more: what there is now is all.
    pub(crate) fn is_final(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The rest, if somebody gave up reading.
    pub(crate) fn take(&self) -> Option<Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
