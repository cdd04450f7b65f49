"""What turns configurations into figures: plan, jobs, records, notebooks, claims, report."""
