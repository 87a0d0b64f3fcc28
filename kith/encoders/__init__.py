"""Encoders that come pretrained: pictures or texts to the features that others have learned, one file a kind."""
