#include <stdlib.h>

/* free_twice frees a chunk twice, one time right after the other. */

int main(void)
{
    char *p = malloc(100);

    free(p);
    free(p);
    return 0;
}
