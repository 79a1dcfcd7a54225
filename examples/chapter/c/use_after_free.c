#include <stdio.h>
#include <stdlib.h>

/* use_after_free writes through a pointer whose chunk was freed, and belongs to another one. */

int main(void)
{
    char *old, *password;

    old = malloc(100);
    free(old);
    password = malloc(100); /* the same chunk */
    snprintf(password, 100, "secret");

    printf("old reads: %s\n", old);
    snprintf(old, 100, "changed");
    printf("the password is: %s\n", password);
    return 0;
}
