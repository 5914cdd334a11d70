"""What happens to weights: penalties and constraints."""
