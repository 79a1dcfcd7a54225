/*
 * Asks Linux for the resident size and its peak.
 *
 * Invariant: nothing here allocates, for it would be measured. Cost: a few
 * system calls, outside of any pass.
 */
#include "resident.h"

#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <unistd.h>

static int
open_proc(const char *file, int flags)
{
	int fd = open(file, flags | O_CLOEXEC);

	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("%s cannot be opened: %m: the resident size wants a Linux that has it", file)));
	return fd;
}

/* The figure of that field of /proc/self/status, which is given in kB. */
static int64
status(const char *field)
{
	int fd = open_proc("/proc/self/status", O_RDONLY);
	char text[8192];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *at;

	close(fd);
	text[Max(n, 0)] = '\0';
	at = strstr(text, field);
	if (!at)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("/proc/self/status has no field %s: the resident size wants a Linux that has it", field)));
	return strtoll(at + strlen(field), NULL, 10) * 1024;
}

void
resident_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

int64
resident_begin(void)
{
	int fd;

	resident_trim();
	fd = open_proc("/proc/self/clear_refs", O_WRONLY);
	ssize_t n = write(fd, "5", 1); /* resets the peak */

	close(fd);
	if (n != 1)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("/proc/self/clear_refs does not take a 5: %m: the peak wants a Linux that resets it")));
	return status("VmRSS:");
}

int64
resident_peak(void)
{
	return status("VmHWM:");
}
