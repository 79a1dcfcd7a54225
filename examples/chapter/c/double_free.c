#include <stdio.h>
#include <stdlib.h>

/* double_free frees a chunk twice. In between another part of the program got the same chunk: the
 * second free() takes it away from there, and a third part gets it, too. */

int main(void)
{
    char *first, *second, *third;

    first = malloc(100);
    free(first);
    second = malloc(100); /* malloc gives the chunk to the next who asks */
    free(first);          /* the mistake: this frees what second has */
    third = malloc(100);

    printf("second and third are the same chunk: %s\n", second == third ? "yes" : "no");
    snprintf(second, 100, "what second wrote");
    snprintf(third, 100, "what third wrote");
    printf("second reads: %s\n", second);
    return 0;
}
