"""Which terms of an objective look at what."""

# Terms that pull items of one class together and push others away.
METRIC_TERMS = ("contrastive", "triplet", "hoffer_ailon", "npairs", "dtsh", "metric_learning")
# Terms that compare a picture with its class, or with others of its class; all others compare it with its text.
CLASS_TERMS = ("cross_entropy", "class_embedding", "devise", "center", "label_embedding", *METRIC_TERMS)
NEIGHBOR_TERMS = ("angular_image", "angular_text")
