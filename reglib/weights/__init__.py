"""What happens to weights: penalties, constraints and averages."""
