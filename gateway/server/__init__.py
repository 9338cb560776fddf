"""HTTP/1.1 connections and the life of the process: workers, drain, reload, file limits."""
