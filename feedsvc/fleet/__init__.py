"""Several machines that share one site's work: tasks, workers, takeover."""
