"""What happened, for those who look later: structured logs, and the secrets kept out of them."""
