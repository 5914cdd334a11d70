"""How a network learns: losses, optimizers, the training step and its loop."""
