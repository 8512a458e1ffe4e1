//! `chat.proto` and the server's types match: each reads what the other writes.

mod payloads;

use std::fmt::Debug;

use chat_demo_client::payload::{Alert, Payload, UserState};
use chat_demo_client::subprotocol::Subprotocol;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, SerializeOptions};
use serde_json::{Map, Value};

use crate::payloads::{Check, each};

/// Reads `chat.proto` as a compiler of any language does.
fn schema() -> DescriptorPool {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/client");
    let files = protox::compile(["chat.proto"], [folder]).expect("it is Protobuf");
    DescriptorPool::from_file_descriptor_set(files).expect("it is whole")
}

/// Returns a payload in the protocol's JSON.
fn json<P: Payload>(payload: &P) -> Value {
    serde_json::to_value(payload).expect("plain data")
}

struct SameAs(DescriptorPool, Vec<&'static str>);

impl Check for SameAs {
    fn one<P: Payload + PartialEq + Debug>(&mut self, name: &'static str, payload: P) {
        let descriptor = self.0.get_message_by_name(&format!("chat.v1.{name}"));
        let descriptor = descriptor.unwrap_or_else(|| panic!("{name} is not in the file"));
        let bytes = payload.encode_to_vec();
        let read = DynamicMessage::decode(descriptor.clone(), bytes.as_slice());
        let read = read.expect("what the server writes");
        assert_eq!(named(&read), json(&payload), "{name}");
        assert_eq!(
            read.unknown_fields().count(),
            0,
            "{name} has more fields here"
        );
        let back = Subprotocol::Protobuf.read::<P>(&prost::Message::encode_to_vec(&read));
        assert_eq!(back.expect("what others write"), payload);
        let fields = json(&payload).as_object().map_or(0, Map::len);
        assert!(
            fields <= descriptor.fields().len(),
            "{name} has fewer fields there"
        );
        self.1.push(name);
    }
}

/// Returns a message of the schema in the protocol's JSON: enumerations by the part of their names
/// that is not the name of their type.
fn named(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .use_enum_numbers(true)
        .skip_default_fields(false);
    let value = message.serialize_with_options(serde_json::value::Serializer, &options);
    let mut value = value.expect("plain data");
    for field in message.descriptor().fields() {
        if let Some(kind) = field.kind().as_enum() {
            let prefix = kind
                .name()
                .chars()
                .fold(String::new(), |mut words, letter| {
                    if letter.is_uppercase() && !words.is_empty() {
                        words.push('_');
                    }
                    words.push(letter.to_ascii_lowercase());
                    words
                });
            let number = value[field.name()].as_i64().expect("a number");
            let number = i32::try_from(number).expect("a small one");
            let name = kind
                .get_value(number)
                .expect("it is in the file")
                .name()
                .to_lowercase();
            let name = name
                .strip_prefix(&format!("{prefix}_"))
                .expect("its type first");
            value[field.name()] = name.into();
        }
        if field.is_list() && value[field.name()] == Value::Array(Vec::new()) {
            value
                .as_object_mut()
                .expect("a message")
                .remove(field.name());
        }
    }
    value
}

#[test]
fn the_schema_matches_the_encoding() {
    let mut check = SameAs(schema(), Vec::new());
    each(&mut check);
    for message in check.0.all_messages() {
        assert!(
            check.1.contains(&message.name()),
            "{} is not the server's",
            message.name()
        );
    }
}

struct InAllSubprotocols;

impl Check for InAllSubprotocols {
    fn one<P: Payload + PartialEq + Debug>(&mut self, _: &'static str, payload: P) {
        for subprotocol in Subprotocol::ALL {
            let mut bytes = Vec::new();
            subprotocol.write(&payload, &mut bytes);
            assert_eq!(
                subprotocol.read::<P>(&bytes).expect("it was written"),
                payload
            );
        }
    }
}

#[test]
fn payloads_round_trip_in_each_subprotocol() {
    each(&mut InAllSubprotocols);
}

#[test]
fn a_number_that_is_no_name_is_refused() {
    let alert = Alert {
        level: 3,
        text: String::new(),
    };
    let bytes = prost::Message::encode_to_vec(&alert);
    let error = Subprotocol::Protobuf
        .read::<Alert>(&bytes)
        .expect_err("there are three levels");
    assert_eq!(error.to_string(), "no such level");
    let state = UserState {
        state: -1,
        user: None,
    };
    let bytes = prost::Message::encode_to_vec(&state);
    assert!(Subprotocol::Protobuf.read::<UserState>(&bytes).is_err());
}
