"""What ``diffeo-stability measure`` does; it needs what the library alone brings."""
