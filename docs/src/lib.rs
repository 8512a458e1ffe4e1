//! The examples in the documents of the workspace, as tests. The documents of the crate `anthill`
//! are tests of that crate.

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Runs the examples of the FAQ.
#[cfg(doctest)]
#[doc = include_str!("../FAQ.md")]
struct Faq;
