"""How small a network can be, and whether layers are given what they need."""
