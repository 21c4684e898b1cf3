//! NATS subjects: templates parsed once, values escaped into tokens.
