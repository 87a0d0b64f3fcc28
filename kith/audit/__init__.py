"""What is wrong with the data: duplicates and leaks, suspect labels, wrong pairs, odd pictures and texts."""
