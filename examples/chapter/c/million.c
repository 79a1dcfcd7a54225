#include <stdio.h>
#include <stdlib.h>

/* million allocates a million chunks of 64 bytes, and frees them. How often does it call the
 * system? strace -c -e trace=brk,mmap,munmap counts that. */

#define CHUNKS 1000000

static char *chunk[CHUNKS];

int main(void)
{
    for (int i = 0; i < CHUNKS; i++)
    {
        chunk[i] = malloc(64);
        if (chunk[i] == NULL)
            return 1;
        chunk[i][0] = 1;
    }
    for (int i = 0; i < CHUNKS; i++)
        free(chunk[i]);
    return 0;
}
