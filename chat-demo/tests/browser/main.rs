//! The page in Chromium, driven by `chromedriver`.

mod chat;
mod dashboard;
mod driver;
mod links;
mod module;
mod newcomers;
mod recovery;
mod relay;
mod search;
mod stage;
mod window;
