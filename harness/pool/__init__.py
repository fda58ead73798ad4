"""Share hosts: leases that the dead give back, jobs that are never counted twice, workers by dask (extra ``pool``)."""
