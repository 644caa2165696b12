"""Convolution and pooling of torch.nn.functional on NumPy arrays."""
