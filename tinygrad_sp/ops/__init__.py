"""Every differentiable function, grouped as NumPy's reference groups them."""
