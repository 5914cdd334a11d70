"""What a network is made of: layers and recurrent cells, each with its backward pass."""
