"""What is computed in several processes, or on several devices."""
