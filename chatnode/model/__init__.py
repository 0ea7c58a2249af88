"""What chatnode talks about: plain attrs classes without input or output."""
