//! A deserializer for the failure path: slower than any other, but its faults know where they are.
//!
//! It walks JSON that is known to be well formed as `RawValue`s, so repeated names are still there to be seen,
//! and only as deep as the form's type goes.

use std::borrow::Cow;
use std::fmt;
use std::vec;

use serde::Deserialize;
use serde::de::value::{CowStrDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use crate::http::problem::{Code, Problem};

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Fault {
    /// `sections[0].price`; empty at the root.
    path: String,
    detail: String,
}

impl Fault {
    /// 400 that names the field: without the numbers of elements, which are none; those stand in the detail.
    pub(super) fn into_problem(self) -> Problem {
        if self.path.is_empty() {
            return Problem::new(Code::InvalidRequest).detail(self.detail);
        }
        let numbered = |c| c == '[' || c == ']';
        let pieces = self.path.split(numbered).enumerate();
        let field: String = pieces.filter(|(i, _)| i % 2 == 0).map(|(_, piece)| piece).collect();
        let detail = if field == self.path { self.detail } else { self.to_string() };
        Problem::field(field, detail)
    }

    fn at(path: &str, detail: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), detail: format!("{detail}.") }
    }

    fn inside(mut self, step: &str) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{separator}{}", self.path);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.detail)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::at("", message)
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::at(field, "Unknown field")
    }

    fn missing_field(field: &'static str) -> Self {
        Self::at(field, "Missing field")
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::at(field, "Repeated field")
    }
}

/// One value of the body.
pub(super) struct At<'de>(pub(super) &'de RawValue);

impl<'de> At<'de> {
    fn text(&self) -> &'de str {
        self.0.get()
    }

    fn read<T: Deserialize<'de>>(&self) -> Result<T, Fault> {
        serde_json::from_str(self.text()).map_err(de::Error::custom)
    }
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.text().as_bytes().first() {
            Some(b'{') => {
                let Members(members) = self.read()?;
                visitor.visit_map(Object { members: members.into_iter(), value: None })
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = self.read()?;
                visitor.visit_seq(Array { elements: elements.into_iter(), number: 0 })
            }
            _ => {
                let mut scalar = serde_json::Deserializer::from_str(self.text());
                scalar.deserialize_any(visitor).map_err(|error| Fault::at("", without_position(&error)))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.text() == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    /// The forms hold enums without contents only.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(Word(self.read()?))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The scalar is parsed alone, so `serde_json`'s line and column would mislead.
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    let mut message = message[..end].to_owned();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    message
}

/// The members of an object in order, repeated names too.
struct Members<'de>(Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

struct Object<'de> {
    members: vec::IntoIter<(Cow<'de, str>, &'de RawValue)>,
    value: Option<(Cow<'de, str>, &'de RawValue)>,
}

impl<'de> MapAccess<'de> for Object<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.value = self.members.next();
        let Some((name, _)) = &self.value else {
            return Ok(None);
        };
        let name: CowStrDeserializer<'_, Fault> = name.clone().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) = self.value.take().expect("serde asks for a value after its key");
        seed.deserialize(At(value)).map_err(|fault| fault.inside(&name))
    }
}

struct Array<'de> {
    elements: vec::IntoIter<&'de RawValue>,
    number: usize,
}

impl<'de> SeqAccess<'de> for Array<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.elements.next() else {
            return Ok(None);
        };
        let step = format!("[{}]", self.number);
        self.number += 1;
        let element = seed.deserialize(At(value));
        element.map(Some).map_err(|fault| fault.inside(&step))
    }
}

struct Word<'de>(Cow<'de, str>);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Fault;
    type Variant = Unit;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Unit), Fault> {
        let word: StrDeserializer<'_, Fault> = (*self.0).into_deserializer();
        Ok((seed.deserialize(word)?, Unit))
    }
}

struct Unit;

impl<'de> de::VariantAccess<'de> for Unit {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Fault> {
        Err(de::Error::custom("Expected a word"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("Expected a word"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("Expected a word"))
    }
}
