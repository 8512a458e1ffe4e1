//! The macro that declares the kinds of frames.

/// Declares the kinds: a byte, a name, the payload if there is one, how it is checked, and the docs
/// of its [`Event`] if servers send it to clients.
macro_rules! kinds {
    ($(
        $(#[doc = $doc:literal])*
        $kind:ident = $byte:literal $name:literal $(carries $payload:ident
            $(checked by $check:ident)? $(and says $says:literal)?)?;
    )*) => {
        impl Kind {
            $(
                $(#[doc = $doc])*
                pub const $kind: Self = Self($byte);
            )*

            /// The kinds of the protocol, with the names that text messages and figures have for
            /// them.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$kind, $name)),*];

            /// Returns the kind with this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                let mut kinds = Self::NAMED.iter();
                kinds.find_map(|(kind, known)| (*known == name).then_some(*kind))
            }

            /// Returns the kind's name, if it has one.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                let mut kinds = Self::NAMED.iter();
                kinds.find_map(|(kind, name)| (*kind == self).then_some(*name))
            }
        }

        $($(
            impl Payload for $payload {
                const KIND: Kind = Kind::$kind;

                $(
                    fn check(&self) -> Result<(), &'static str> {
                        self.$check()
                    }
                )?
            }
        )?)*

        /// An event that a server sends after the welcome.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Event {
            $($($(
                #[doc = $says]
                $payload($payload),
            )?)?)*
            /// The server ended the connection; nothing follows.
            Closed(Close),
            /// A frame of a type that this client does not know.
            Unknown(Kind),
        }

        /// Visits the payload of a kind, if servers send that to clients.
        pub fn visit<V: Visitor>(kind: Kind, visitor: V) -> Option<V::Output> {
            $($(visit!(kind, visitor, $payload $(, $says)?);)?)*
            None
        }

        impl Event {
            /// Reads a frame of a kind, whose payload is in JSON.
            pub(crate) fn read(kind: Kind, payload: &[u8]) -> serde_json::Result<Self> {
                $($(event!(kind, payload, $payload $(, $says)?);)?)*
                Ok(Self::Unknown(kind))
            }
        }
    };
}

/// Visits the payload if `kind` is its kind and it has an event.
macro_rules! visit {
    ($kind:ident, $visitor:ident, $type:ident) => {};
    ($kind:ident, $visitor:ident, $type:ident, $says:literal) => {
        if $kind == <$type as Payload>::KIND {
            return Some($visitor.visit::<$type>());
        }
    };
}

/// Returns the event if `kind` is that of a payload with an event.
macro_rules! event {
    ($kind:ident, $payload:ident, $type:ident) => {};
    ($kind:ident, $payload:ident, $type:ident, $says:literal) => {
        if $kind == <$type as Payload>::KIND {
            return serde_json::from_slice($payload).map(Self::$type);
        }
    };
}
