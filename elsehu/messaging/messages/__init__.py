"""Messages as they are shown, and the operations on them."""
