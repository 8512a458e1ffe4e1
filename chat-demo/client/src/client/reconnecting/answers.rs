//! What the server sends, and what the client does about it.

use std::{mem, time::Duration};

use super::Reconnecting;
use crate::{
    client::{
        error::ClientError,
        event::{Event, Received, read_event},
        link::Link,
        news::News,
        place::{Made, Place},
    },
    frame::Kind,
    payload::{self, ErrorCode},
};

impl Reconnecting {
    /// Handles an error that answers no text. It is about a join if it names a room.
    fn on_error(&mut self, error: payload::Error) {
        let is_for_now = error.code() == ErrorCode::Overloaded;
        let Some(room) = &error.room else {
            // It may be about a request for messages, which is answered no more.
            if is_for_now && self.places.values().any(Place::is_asking) {
                // The next connection requests them again.
                self.disconnected(ClientError::HistoryRefused(error));
            }
            return;
        };
        let (Some(place), Link::Open(open)) = (self.places.get_mut(room), &mut self.link) else {
            return;
        };
        if !is_for_now {
            // The next connection may have another token.
            place.disconnected();
        } else if place.on_not_joined() {
            open.join_later();
            self.sending.hold(room);
        } else {
            // It was to end a page. The next connection requests the page again.
            self.disconnected(ClientError::HistoryRefused(error));
        }
    }

    /// Repeats the refused joins.
    pub(super) fn join_again(&mut self) {
        let mut made = Made::default();
        for place in self.places.values_mut().filter(|place| place.refused) {
            place.join_room(&mut made);
        }
        self.take_made(made);
    }

    pub(super) fn on_received(&mut self, received: Received) {
        match received {
            Received::Frame(Kind::HEARTBEAT, _) => {}
            Received::Frame(kind, payload) => match read_event(kind, &payload) {
                Ok(event) => self.on_event(event),
                Err(error) => self.report(News::Unreadable(error)),
            },
            Received::Close(close) => self.disconnected(ClientError::Closed(close)),
        }
    }

    fn on_event(&mut self, event: Event) {
        let mut made = Made::default();
        match event {
            // Ignore late events of a room that was left.
            Event::Message(message) => {
                if let Some(place) = self.places.get_mut(&message.room) {
                    place.on_message(message, &mut made);
                }
            }
            Event::Joined(joined) => {
                self.sending.release(&joined.room);
                if let Some(place) = self.places.get_mut(&joined.room) {
                    place.on_joined(joined, &mut made);
                }
                if let Link::Open(open) = &mut self.link
                    && !self.places.values().any(|place| place.refused)
                {
                    open.all_joined();
                }
            }
            Event::Ack(ack) => made.news.extend(self.sending.acked(ack)),
            Event::Error(error) => {
                let answers_no_text = error.id.is_none();
                made.news.extend(self.sending.refused(error.clone()));
                self.take_made(mem::take(&mut made));
                if answers_no_text {
                    self.on_error(error);
                }
            }
            other => {
                if let (Event::Bye(bye), Link::Open(open)) = (&other, &mut self.link) {
                    open.stay_away = Duration::from_millis(bye.reconnect_after_ms);
                }
                made.news.push_back(News::Other(other));
            }
        }
        self.take_made(made);
    }
}
