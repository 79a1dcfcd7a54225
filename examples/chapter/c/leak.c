#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* leak answers requests, and forgets to free the copy of one in ten. */

static long resident(void) /* in KiB, as Linux tells it */
{
    FILE *statm = fopen("/proc/self/statm", "r");
    long size, pages = 0;

    if (statm == NULL || fscanf(statm, "%ld %ld", &size, &pages) != 2)
        return 0;
    fclose(statm);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void answer(int request)
{
    char *copy = malloc(1000);

    if (copy == NULL)
        exit(1);
    snprintf(copy, 1000, "request %d", request);
    if (request % 10 == 0)
        return; /* an error, say: and the way out without free() */
    free(copy);
}

int main(void)
{
    long before = resident();

    for (int request = 0; request < 100000; request++)
        answer(request);
    printf("after 100000 requests: %ld MiB more\n", (resident() - before) / 1024);
    return 0;
}
