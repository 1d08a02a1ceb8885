"""Parts that every training uses: experiments, rounds, checkpoints, logs."""
