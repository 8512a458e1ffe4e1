//! Tests of the chat's page in Chromium, in a package of their own: what drives a browser takes long
//! to build.
