#include <stdio.h>
#include <stdlib.h>

static void where(const char *what, const void *at);

char * g_ptr = NULL; /* a global variable: there from the first instruction to the last */

int main(int argc, char* argv[])
{
    int local = 0;               /* on the stack: until main returns */
    char *large = malloc(1 << 20);

    g_ptr = malloc(100);         /* on the heap: until free() */
    if (g_ptr == NULL || large == NULL)
        return 1;
    snprintf(g_ptr, 100, "hello");

    where("main, the code", (void *) main);
    where("g_ptr, the variable", &g_ptr);
    where("local, the variable", &local);
    where("g_ptr, 100 bytes", g_ptr);
    where("large, 1 MiB", large);

    free(large);
    free(g_ptr);
    g_ptr = NULL;                /* or it would still hold the address */
    return 0;
}

/* where prints in which part of the process an address lies: Linux lists them in this file. */
static void where(const char *what, const void *at)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], name[256];
    unsigned long from, to;

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
    {
        name[0] = '\0';
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &from, &to, name) >= 2 &&
            (unsigned long) at >= from && (unsigned long) at < to)
            printf("%-22s %s\n", what, name[0] == '[' ? name : name[0] == '/' ? "the program" : "a mapping");
    }
    if (maps != NULL)
        fclose(maps);
}
