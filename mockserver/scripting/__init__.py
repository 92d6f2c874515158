"""What a user says the server shall do, in one vocabulary, and what follows from it for one request. Pure."""
