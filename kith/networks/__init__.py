"""Networks for pictures, up to global pooling: what they are made of, without weights."""
