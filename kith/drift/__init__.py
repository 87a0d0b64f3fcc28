"""Whether new rows are like those that a model was measured on, or it has to be trained again."""
