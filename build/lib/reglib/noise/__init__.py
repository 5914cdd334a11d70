"""What happens to activations: draws of noise, and the functions that apply them."""
