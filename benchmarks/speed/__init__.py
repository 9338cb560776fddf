"""How fast the gateway is: its pure parts by themselves, and the whole of it in front of a mock upstream."""
