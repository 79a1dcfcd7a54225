/*
 * The SQL function palloc_bench: runs a workload in a backend.
 *
 * Invariant: the text that it returns is the workload's line of JSON. Cost: none that
 * a clock sees.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "bench.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(palloc_bench);

/* The argument as a string, or NULL for NULL. */
static char *
argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

Datum
palloc_bench(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(bench_run(argument(fcinfo, 0), argument(fcinfo, 1), argument(fcinfo, 2))));
}
