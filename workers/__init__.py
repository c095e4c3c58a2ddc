"""RQ jobs and the process that runs them."""
