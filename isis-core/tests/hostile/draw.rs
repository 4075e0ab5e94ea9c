//! Values of any type that can be decoded, drawn from a source of choices: the edges of integers,
//! short lists, and the few sites, processes and numbers that a small cluster has, so that what is
//! drawn often names something that is there.

use std::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// Strings that are names, and some that are not. "afterwards" is left to the honest.
const WORDS: [&str; 6] = ["g", "", "l", "\0directory", "a\0b", "other"];

/// A number below this one, which is not 0.
pub type Source<'a> = &'a mut dyn FnMut(u64) -> u64;

/// Draws one value. See the module's head.
pub struct Draw<'a> {
    source: Source<'a>,
    /// The class that an id here should be of.
    class: Option<u32>,
}

/// The type refuses what was drawn, as it would refuse it from the wire.
#[derive(Debug)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what was drawn is refused")
    }
}

impl std::error::Error for Refused {}

impl Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Refused {
        Refused
    }
}

/// A value of this type, if one of the first few drawn is one that the type takes.
pub fn draw<T: serde::de::DeserializeOwned>(source: Source<'_>) -> Option<T> {
    (0..8).find_map(|_| {
        let mut draw = Draw {
            source: &mut *source,
            class: None,
        };
        T::deserialize(&mut draw).ok()
    })
}

impl Draw<'_> {
    fn below(&mut self, n: u64) -> u64 {
        (self.source)(n)
    }

    fn number(&mut self, bits: u32) -> u64 {
        let most = u64::MAX >> (64 - bits);
        match self.below(16) {
            0 => most - self.below(3),
            1 => 1 << self.below(u64::from(bits)),
            // Not the largest clock that is taken: a lie that leaves no room above it does stop others.
            2 => (1 << self.below(u64::from(bits) - 1)) - 1,
            3 => self.below(most),
            4..8 => self.below(40),
            _ => self.below(5),
        }
    }

    fn length(&mut self) -> usize {
        match self.below(32) {
            0 => self.below(100) as usize,
            _ => self.below(4) as usize,
        }
    }

    /// What the ids in this field of this type are ids of.
    fn enter(&mut self, of: &str, field: &str) {
        self.class = match (of, field) {
            ("Bcast", "id") | (_, "finals" | "open" | "lacking") => Some(0),
            ("Obcast" | "Listed", "id") | (_, "after" | "others" | "pulls" | "before" | "list") => {
                Some(1)
            }
            (_, "run") | ("Action", "id") => Some(2),
            _ => self.class,
        };
    }
}

/// The elements of a list, or the fields of a struct.
struct Elements<'d, 'a> {
    draw: &'d mut Draw<'a>,
    of: &'static str,
    fields: &'static [&'static str],
    at: usize,
    len: usize,
}

impl<'d, 'a> Elements<'d, 'a> {
    fn of_list(draw: &'d mut Draw<'a>, len: usize) -> Elements<'d, 'a> {
        Elements {
            draw,
            of: "",
            fields: &[],
            at: 0,
            len,
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        if self.at == self.len {
            return Ok(None);
        }
        let class = self.draw.class;
        if let Some(field) = self.fields.get(self.at) {
            self.draw.enter(self.of, field);
        }
        self.at += 1;
        let value = seed.deserialize(&mut *self.draw).map(Some);
        self.draw.class = class;
        value
    }
}

impl<'de> MapAccess<'de> for Elements<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(&mut *self.draw)
    }
}

/// A variant, and then its content.
struct Choice<'d, 'a> {
    draw: &'d mut Draw<'a>,
    of: &'static str,
    index: u32,
}

impl<'de, 'd, 'a> EnumAccess<'de> for Choice<'d, 'a> {
    type Error = Refused;
    type Variant = Choice<'d, 'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Choice<'d, 'a>), Refused> {
        let index: U32Deserializer<Refused> = self.index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_, '_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.draw)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.draw.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.draw.deserialize_struct(self.of, fields, visitor)
    }
}

impl<'de> Deserializer<'de> for &mut Draw<'_> {
    type Error = Refused;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let value = self.below(2) == 1;
        visitor.visit_bool(value)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let value = self.below(256) as u8;
        visitor.visit_u8(value)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let value = self.number(16) as u16;
        visitor.visit_u16(value)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let value = self.number(32) as u32;
        visitor.visit_u32(value)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let value = self.number(64);
        visitor.visit_u64(value)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // Sets of sites, mostly.
        let value = match self.below(8) {
            0 => u128::from(self.number(64)) << self.below(65),
            _ => u128::from(self.below(16)),
        };
        visitor.visit_u128(value)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.below(32) {
            0 => visitor.visit_str(&"n".repeat(300)),
            n => visitor.visit_str(WORDS[n as usize % WORDS.len()]),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.below(2) {
            0 => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        match name {
            "SiteId" if self.below(16) > 0 => {
                let site = self.below(4) as u32;
                visitor.visit_newtype_struct(IntoDeserializer::<Refused>::into_deserializer(site))
            }
            "Incarnation" if self.below(32) > 0 => {
                visitor.visit_newtype_struct(IntoDeserializer::<Refused>::into_deserializer(1u64))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let len = self.length();
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let len = self.length();
        visitor.visit_map(Elements::of_list(self, len))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Elements::of_list(self, len))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Elements {
            draw: self,
            of: name,
            fields,
            at: 0,
            len: fields.len(),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let any = self.below(variants.len() as u64) as u32;
        let index = match (name, self.class) {
            ("Class", Some(class)) if self.below(32) > 0 => class,
            _ => any,
        };
        visitor.visit_enum(Choice {
            draw: self,
            of: name,
            index,
        })
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 f32 f64 char bytes byte_buf unit unit_struct tuple_struct
        identifier ignored_any
    }
}
