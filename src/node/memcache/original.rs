//! What a C node is asked instead of what it does not know.
