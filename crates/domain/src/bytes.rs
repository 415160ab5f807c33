//! What types of 32 bytes have in common: digests and the like, which a store keeps as they are, and which nothing shows.

/// Gives such a type its way in and its way out, and a `Debug` that says its name alone.
macro_rules! opaque {
    ($name:ident, $taken:literal) => {
        impl $name {
            #[doc = $taken]
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes, as a store writes them.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

/// The same for one that somebody may try to guess: two are compared in constant time.
macro_rules! opaque_and_secret {
    ($name:ident, $taken:literal) => {
        $crate::bytes::opaque!($name, $taken);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                subtle::ConstantTimeEq::ct_eq(self.0.as_slice(), other.0.as_slice()).into()
            }
        }
        impl Eq for $name {}
    };
}

pub(crate) use {opaque, opaque_and_secret};
