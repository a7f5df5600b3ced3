//! Guests that tests and measurements run: each file in `examples/` is a component of its own.
