"""Distributes training over several processes or devices."""
