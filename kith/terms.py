"""Which terms of an objective look at what."""

# Terms that compare a picture with its class; all others compare it with its text.
CLASS_TERMS = ("cross_entropy", "class_embedding", "devise", "center", "label_embedding")
NEIGHBOR_TERMS = ("angular_image", "angular_text")
