/*
 * What PostgreSQL's mmgr files, and the workloads, need of the rest of a server.
 *
 * Invariant: an error ends the program with one line. Nothing here is called while a
 * clock runs. Cost: none.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#undef vsnprintf
#undef fprintf
#undef vfprintf

volatile uint32 CritSectionCount = 0;
volatile sig_atomic_t InterruptPending = false;
volatile sig_atomic_t LogMemoryContextPending = false;
int MyProcPid = 0;
sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;

static int code;
static char message[1024];

bool
errstart(int level, const char *domain)
{
	return level >= ERROR;
}

bool
errstart_cold(int level, const char *domain)
{
	return errstart(level, domain);
}

int
errcode(int sqlstate)
{
	return code = sqlstate;
}

int
errmsg(const char *text, ...)
{
	va_list values;

	va_start(values, text);
	vsnprintf(message, sizeof(message), text, values);
	va_end(values);
	return 0;
}

int errmsg_internal(const char *text, ...) __attribute__((alias("errmsg")));

int
errdetail(const char *text, ...)
{
	return 0;
}

int
errcode_for_file_access(void)
{
	return 0;
}

int
errhidestmt(bool hide)
{
	return 0;
}

int
errhidecontext(bool hide)
{
	return 0;
}

void
errfinish(const char *file, int line, const char *function)
{
	fprintf(stderr, "pg18: %s\n", message);
	exit(code == ERRCODE_FEATURE_NOT_SUPPORTED ? 3 : 1);
}

void
pg_re_throw(void)
{
	abort();
}

void
ExceptionalCondition(const char *condition, const char *file, int line)
{
	fprintf(stderr, "pg18: %s:%d: %s\n", file, line, condition);
	abort();
}

void
ProcessInterrupts(void)
{
}

bool
stack_is_too_deep(void)
{
	return false;
}

int
pg_mbcliplen(const char *text, int length, int limit)
{
	return Min(length, limit);
}

int
pg_snprintf(char *to, size_t size, const char *text, ...)
{
	va_list values;
	int n;

	va_start(values, text);
	n = vsnprintf(to, size, text, values);
	va_end(values);
	return n;
}

int
pg_fprintf(FILE *to, const char *text, ...)
{
	va_list values;
	int n;

	va_start(values, text);
	n = vfprintf(to, text, values);
	va_end(values);
	return n;
}

char *
psprintf(const char *text, ...)
{
	va_list values;
	char line[1024];

	va_start(values, text);
	vsnprintf(line, sizeof(line), text, values);
	va_end(values);
	return pstrdup(line);
}
