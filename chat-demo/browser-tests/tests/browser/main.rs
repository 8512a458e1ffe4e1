//! The page in Chromium, driven by `chromedriver`.

mod chat;
mod dashboard;
mod driver;
mod first_steps;
mod links;
mod module;
mod recovery;
mod relay;
mod search;
mod stage;
mod window;
