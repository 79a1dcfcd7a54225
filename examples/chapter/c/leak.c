#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* leak answers requests, and forgets to free the copy of one in ten. */

static long resident(void) /* the most that was resident, in KiB */
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return use.ru_maxrss;
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
