"""A local web page, and an HTTP API, at which files are lifted: `poselift serve`.

::

    page ── HTTP ── guard ── app ── upload ── store (a folder for each job, its state as a small JSON file)
                                      │         │
                                      └─ line ──┴── worker (a child process that runs `poselift lift`)

One job runs at a time. It runs in a child process with limits on time and memory, so that a file that breaks it breaks
nothing else. The state of every job is on disk, so that a server that was killed goes on with the jobs that wait.
"""
