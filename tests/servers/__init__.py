"""Servers that speak the protocols of the services that LightWork talks to, on loopback."""
