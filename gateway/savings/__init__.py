"""What requests cost, what the baseline would have cost, and whether the provider agrees. Pure: values in, values out."""
