"""`sep2 envelope`: what the engine can be asked at the command line, and what it prints and draws."""
