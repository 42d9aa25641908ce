"""A watcher that acts on a dead zone sooner than Kubernetes does.

One replica per zone looks each second at what the other zones hold. When a majority of zones has heard nothing of a
zone for some seconds, and no zone has, and PostgreSQL's primary is in there and provably harmless, the watchers delete
its pod by force: the operator then promotes a standby at once, and not after the 40 to 50 s that Kubernetes takes.

Standard library only, so that its image is Debian's Python and these files. Layers, from the top:

    __main__    the process: settings, signals, exit status
    watcher     the two loops: look each second, decide and act
    server      what peers, probes and Prometheus ask
    actions     from an observation to an attempt, its log line and its counters
    cluster     what is read of the API server, and the one thing that is written
    probing     one round of looking; whether somebody answers
    decision    what to do: pure, and where every rule is
    silence     how long a zone has been silent: pure
    objects     Kubernetes' objects as records: pure
    model       those records
    api, http   the API server and peers over HTTP
    settings, logs, metrics, errors, release
"""
