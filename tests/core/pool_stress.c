/* The thread pool under load: several callers at once, more and more parts, stages that follow one another, sleeping
 * workers, jobs inside jobs, forks.
 *
 *   gcc -std=gnu11 -g -O1 -pthread -fsanitize=thread -Isrc/lenet_c tests/core/pool_stress.c -o pool_stress
 *   TSAN_OPTIONS=die_after_fork=0 setarch -R ./pool_stress
 *
 * What a job writes is not atomic: the pool itself must order it before the caller's reading.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"

enum { CALLERS = 4, ROUNDS = 400, FORKS = 8, CELLS = 96, INNER = 3 };

typedef struct {
    int seen[CELLS];                    /* times that a part was run */
    int parts[CELLS];                   /* what it was told */
    int nested;                         /* whether each part runs a job of INNER parts */
    int inner[CELLS][INNER];            /* times that those were run */
} work;

static void fail(const char *what, int got, int expected)
{
    fprintf(stderr, "pool: %s: %d, expected %d\n", what, got, expected);
    _exit(1);
}

static void inner_job(void *arg, int part, int parts)
{
    if (parts != INNER) fail("parts of a job inside a job", parts, INNER);
    ((int *)arg)[part]++;
}

static void job(void *arg, int part, int parts)
{
    work *w = arg;
    volatile int spin = 50 * (part % 5);
    while (spin > 0) spin--;
    w->seen[part]++;
    w->parts[part] = parts;
    if (w->nested) lenet_pool_run(inner_job, w->inner[part], INNER);
}

static void check(work *w, int parts, int nested)
{
    memset(w, 0, sizeof *w);
    w->nested = nested;
    lenet_pool_run(job, w, parts);
    for (int i = 0; i < CELLS; i++) {
        int run = i < parts;
        if (w->seen[i] != run) fail("times that a part was run", w->seen[i], run);
        if (w->parts[i] != run * parts) fail("parts", w->parts[i], run * parts);
        for (int k = 0; k < INNER; k++)
            if (w->inner[i][k] != (run && nested)) fail("times of an inner part", w->inner[i][k], run && nested);
    }
}

/* Stages: cell p of stage s is made of all cells of stage s - 1, whoever made those. */
enum { STAGES = 12, MOST_PARTS = 5, TEAMS = 3 };

typedef struct {
    lenet_stages turns[TEAMS];
    long cell[TEAMS][STAGES + 1][MOST_PARTS];
    int parts, here[LENET_POOL_MAX];
} course;

typedef struct {
    course *course;
    int team;
} member;

static void step(void *arg, int stage, int part, int parts)
{
    member *m = arg;
    long sum = 0;
    for (int i = 0; i < parts; i++) sum += m->course->cell[m->team][stage][i];
    m->course->cell[m->team][stage + 1][part] += sum + stage;
}

static void run_teams(void *arg, int i)
{
    course *c = arg;
    c->here[i]++;
    for (int k = 0; k < TEAMS; k++) {
        member m = {c, (i + k) % TEAMS};
        lenet_stages_run(&c->turns[m.team], STAGES, c->parts, step, &m);
    }
}

static void check_stages(int threads, int parts)
{
    course c;
    long want = 1;
    memset(&c, 0, sizeof c);
    c.parts = parts;
    for (int t = 0; t < TEAMS; t++)
        for (int i = 0; i < parts; i++) c.cell[t][0][i] = 1;
    lenet_pool_share(run_teams, &c, threads);
    for (int s = 0; s < STAGES; s++) want = (want * parts + s) % 1000003;
    for (int t = 0; t < TEAMS; t++)
        for (int i = 0; i < parts; i++)
            if (c.cell[t][STAGES][i] % 1000003 != want) fail("the last stage", (int)(c.cell[t][STAGES][i] % 1000003), (int)want);
    for (int i = 0; i < LENET_POOL_MAX; i++)
        if (c.here[i] > (i < threads)) fail("times that a thread came", c.here[i], i < threads);
    if (c.here[0] != 1) fail("times that the caller worked", c.here[0], 1);
}

static void *caller(void *number)
{
    int id = (int)(intptr_t)number;
    work w;
    for (int round = 0; round < ROUNDS; round++) {
        check(&w, (round + 3 * id) % 9, round % 16 == 7);
        check_stages(1 + (round + id) % 6, 1 + round % MOST_PARTS);
        if (round % 64 == 63) usleep(2000);                    /* the workers fall asleep */
    }
    return NULL;
}

static void call_at_once(void)
{
    pthread_t thread[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        if (pthread_create(&thread[i], NULL, caller, (void *)(intptr_t)i)) fail("thread", i, CALLERS);
    for (int i = 0; i < CALLERS; i++) pthread_join(thread[i], NULL);
}

static void fork_and_work(int depth)
{
    int status;
    pid_t child = fork();
    if (child < 0) fail("fork", -1, 0);
    if (child == 0) {
        work w;
        alarm(60);                                             /* a child that hangs fails */
        for (int parts = 0; parts < 7; parts++) check(&w, parts, parts % 2);
        if (depth) fork_and_work(depth - 1);
        check(&w, 5, 0);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status))
        fail("status of a forked child", status, 0);
}

int main(void)
{
    work w;
    pthread_t other;
    if (lenet_pool_init()) fail("lenet_pool_init", 1, 0);
    alarm(300);
    fork_and_work(1);                                          /* before there is any worker */
    for (int parts = 0; parts <= 20; parts++) check(&w, parts, 1);
    check(&w, CELLS, 0);
    printf("pool: parts 0 to %d\n", CELLS);
    call_at_once();
    printf("pool: %d callers at once, %d jobs each\n", CALLERS, ROUNDS);
    for (int i = 0; i < FORKS; i++) {
        check(&w, 4, 0);
        fork_and_work(1);
    }
    printf("pool: %d forks and forks of the children\n", FORKS);
    if (pthread_create(&other, NULL, caller, (void *)(intptr_t)1)) fail("thread", 0, 1);
    for (int i = 0; i < FORKS; i++) fork_and_work(0);          /* while a job of another thread runs */
    pthread_join(other, NULL);
    check(&w, 9, 0);
    printf("pool: %d forks beside another caller\n", FORKS);
    return 0;
}
