"""What the operator sees: reports, plans, checks, errors, as text or JSON. The only print."""
