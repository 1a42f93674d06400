"""Training samples and the loop that makes the weights."""
