"""Whether the machine, the home and what runs in it are as they must be; nothing is changed."""
