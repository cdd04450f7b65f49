"""Networks: by name, trained, evaluated, kept as checkpoints."""
