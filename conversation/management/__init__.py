"""What an operator can have done with conversations."""
