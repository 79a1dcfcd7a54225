-- The functions of the extension. They read files and move processes to other
-- processors with the rights of the server, so that nobody has them by default.

CREATE FUNCTION palloc_bench(kind text, workload text, file text DEFAULT NULL)
RETURNS text
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'palloc_bench';

CREATE FUNCTION palloc_bench_pin(cpus text)
RETURNS void
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'palloc_bench_pin';

REVOKE ALL ON FUNCTION palloc_bench(text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION palloc_bench_pin(text) FROM PUBLIC;
