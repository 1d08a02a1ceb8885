"""What every training shares: experiments, rounds, checkpoints, logs."""
