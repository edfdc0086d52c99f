"""What the exchange's parts tell each other: values without behaviour, times, digits, refusals."""
