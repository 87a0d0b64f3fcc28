"""What a trained model is used for: prediction, and graphs for other programs."""
