/*
 * The SQL function palloc_bench_pin: keeps the backend to some processors.
 *
 * A backend inherits the processors of the server, not those of the program
 * that asks it for a figure, so it must be told.
 *
 * Invariant: the list is what Linux writes as Cpus_allowed_list, like "0-3,8".
 * Cost: one system call.
 */
#include "postgres.h"

#include <sched.h>

#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(palloc_bench_pin);

/* Reads "3" or "0-3" into the set and returns what follows, or NULL if it is neither. */
static const char *
add_range(const char *at, cpu_set_t *set)
{
	char *end;
	unsigned long first = strtoul(at, &end, 10);
	unsigned long last = first;

	if (end == at)
		return NULL;
	if (*end == '-') {
		at = end + 1;
		last = strtoul(at, &end, 10);
	}
	if (end == at || last >= CPU_SETSIZE)
		return NULL;
	for (unsigned long cpu = first; cpu <= last; cpu++)
		CPU_SET(cpu, set);
	return end;
}

Datum
palloc_bench_pin(PG_FUNCTION_ARGS)
{
	const char *list = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *at = list;
	cpu_set_t set;

	CPU_ZERO(&set);
	while ((at = add_range(at, &set)) != NULL && *at == ',')
		at++;
	if (!at || *at)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no list of processors below %d: give one like 0-3,8", list, CPU_SETSIZE)));
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("the backend cannot be kept to processors %s: %m: give some that the server may use", list)));
	PG_RETURN_VOID();
}
