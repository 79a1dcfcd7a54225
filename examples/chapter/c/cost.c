#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* cost measures a pair of malloc and free of 64 bytes, one of 1 MiB, and a system call that does
 * nothing but tell a number. */

#define ROUNDS 1000000

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void *volatile kept; /* volatile, so that the compiler does not remove the pair */

static double pair(size_t size, int rounds)
{
    double start = now();

    for (int i = 0; i < rounds; i++)
    {
        kept = malloc(size);
        *(volatile char *) kept = 1;
        free(kept);
    }
    return (now() - start) / rounds;
}

int main(void)
{
    double large = pair(1 << 20, 1), start; /* the first: glibc asks the system, and learns */

    printf("malloc and free, 64 bytes %8.1f ns\n", pair(64, ROUNDS));
    start = now();
    for (int i = 0; i < ROUNDS; i++)
        syscall(SYS_getppid);
    printf("a system call             %8.1f ns\n", (now() - start) / ROUNDS);
    printf("the first of 1 MiB        %8.1f ns\n", large);
    return 0;
}
