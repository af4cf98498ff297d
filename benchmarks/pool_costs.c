/* What the pool of threads costs: a shared call, and a stage of a team, beyond the work in them.
 *
 *   cc -std=gnu11 -O2 -pthread -Isrc/lenet_c/core benchmarks/pool_costs.c -o pool_costs -lm && ./pool_costs 2
 *
 * Prints both in seconds, medians: of calls in which each of the threads has a piece of work of 20 us, and of stages of
 * as many parts of 10 us. The work is timed beside them, on one thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pool.h"

enum { ROUNDS = 2001, STAGES = 12 };

typedef struct {
    lenet_stages stages;
    long turns;
    int parts;
} team;

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double spin(long turns)
{
    double x = 1;
    for (long i = 0; i < turns; i++) x = x * 0.999 + 0.001;
    return x;
}

static double piece(long turns)
{
    double begin = clock_now();
    volatile double result = spin(turns);
    (void)result;
    return clock_now() - begin;
}

static void call_job(void *arg, int part, int parts)
{
    (void)part, (void)parts;
    piece(*(long *)arg);
}

static void stage(void *arg, int number, int part, int parts)
{
    (void)number, (void)part, (void)parts;
    piece(((team *)arg)->turns);
}

static void team_work(void *arg, int i)
{
    team *t = arg;
    lenet_stages_run(&t->stages, STAGES, t->parts, i, stage, t);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    static double call[ROUNDS], team_time[ROUNDS];
    int threads = argc > 1 ? atoi(argv[1]) : 2;
    long turns = 1000, half;
    double call_seconds;
    if (lenet_pool_init()) return 1;
    while (piece(turns) < 20e-6) turns += turns / 8;
    half = turns / 2;
    for (int r = 0; r < ROUNDS; r++) {
        team t = {.turns = half, .parts = threads};
        double one = piece(turns), part = piece(half), begin = clock_now();
        lenet_pool_run(call_job, &turns, threads);
        call[r] = clock_now() - begin - one;
        begin = clock_now();
        lenet_pool_share(team_work, &t, threads, 0);
        team_time[r] = clock_now() - begin - STAGES * part;
    }
    call_seconds = median(call);
    printf("%.9f %.9f\n", call_seconds, (median(team_time) - call_seconds) / STAGES);
    return 0;
}
