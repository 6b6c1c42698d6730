"""The laws of the house, and the helpers that they share."""
