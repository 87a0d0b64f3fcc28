"""Training: batches, the objective, the loop, schedules, validation, devices."""
