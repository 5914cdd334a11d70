"""What happens at prediction: averages of predictions, and measures of them."""
