"""Image classification data sets in their official layouts: pictures, classes, splits, and no texts."""
