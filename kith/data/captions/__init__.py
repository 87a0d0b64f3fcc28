"""Pictures with captions or articles in the layouts in which they are published."""
