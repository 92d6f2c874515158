"""What the server says when it answers like a model, in the words of a profile. Pure."""
