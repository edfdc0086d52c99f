"""The matching engine: pure steps over a floor of accounts and books."""
