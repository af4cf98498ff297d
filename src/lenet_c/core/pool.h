/* A pool of threads: lenet_pool_run(job, arg, parts) calls job(arg, i, parts) for i = 0 .. parts - 1, part 0 on the
 * caller's thread, and returns when all are done.
 *
 * Workers spin for some tens of microseconds before they sleep. A second caller at the same time, and a machine
 * without threads, run all parts themselves, in order. After fork() the child starts without workers. Every part is
 * computed in the caller's floating-point environment: rounding mode, denormals flushed to zero or not.
 */
#ifndef LENET_C_POOL_H
#define LENET_C_POOL_H

typedef void (*lenet_job)(void *arg, int part, int parts);

#if defined(_WIN32) || defined(LENET_NO_THREADS)

static int lenet_pool_init(void) { return 0; }
static void lenet_pool_run(lenet_job job, void *arg, int parts)
{
    for (int i = 0; i < parts; i++) job(arg, i, parts);
}

#else

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

enum { LENET_POOL_MAX = 64, LENET_POOL_SPIN = 2000 };

#if defined(__x86_64__) || defined(__i386__)
#  define LENET_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#  define LENET_RELAX() __asm__ volatile("yield")
#else
#  define LENET_RELAX() ((void)0)
#endif

static struct {
    pthread_mutex_t owner;                   /* held by the caller whose job runs */
    pthread_mutex_t lock;                    /* of `asleep`, and of every change of `generation` */
    pthread_cond_t wake;
    lenet_job job;
    void *arg;
    int parts, workers, asleep;
    fenv_t environment;                      /* the caller's */
    unsigned born[LENET_POOL_MAX];           /* generation in which a worker was started */
    atomic_uint generation;                  /* counts the jobs */
    atomic_int running;                      /* workers that have not yet seen the job through */
} lenet_pool = { .owner = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

static void *lenet_pool_worker(void *number)
{
    int id = (int)(intptr_t)number;
    unsigned seen = lenet_pool.born[id];
    for (;;) {
        for (int i = 0; i < LENET_POOL_SPIN && atomic_load_explicit(&lenet_pool.generation, memory_order_acquire) == seen; i++)
            LENET_RELAX();
        if (atomic_load_explicit(&lenet_pool.generation, memory_order_acquire) == seen) {
            pthread_mutex_lock(&lenet_pool.lock);
            lenet_pool.asleep++;
            while (atomic_load_explicit(&lenet_pool.generation, memory_order_acquire) == seen)
                pthread_cond_wait(&lenet_pool.wake, &lenet_pool.lock);
            lenet_pool.asleep--;
            pthread_mutex_unlock(&lenet_pool.lock);
        }
        seen++;                              /* the next job waits for this worker: no generation is missed */
        if (id < lenet_pool.parts) {
            fesetenv(&lenet_pool.environment);
            lenet_pool.job(lenet_pool.arg, id, lenet_pool.parts);
        }
        atomic_fetch_sub_explicit(&lenet_pool.running, 1, memory_order_release);
    }
    return NULL;
}

/* Starts workers up to `wanted`; the caller holds `owner` and no job runs. A worker takes no signal from the threads
   of the program, which may have blocked it, but those of its own faults. */
static void lenet_pool_grow(int wanted)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    pthread_attr_t detached;
    sigset_t none, before;
    if (lenet_pool.workers >= wanted || pthread_attr_init(&detached)) return;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&none);
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) sigdelset(&none, faults[i]);
    pthread_sigmask(SIG_SETMASK, &none, &before);                        /* a thread is born with its creator's mask */
    while (lenet_pool.workers < wanted) {
        pthread_t thread;
        int id = lenet_pool.workers + 1;
        lenet_pool.born[id] = atomic_load(&lenet_pool.generation);
        if (pthread_create(&thread, &detached, lenet_pool_worker, (void *)(intptr_t)id)) break;
        lenet_pool.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
}

static void lenet_pool_after_fork(void)
{
    pthread_mutex_init(&lenet_pool.owner, NULL);
    pthread_mutex_init(&lenet_pool.lock, NULL);
    pthread_cond_init(&lenet_pool.wake, NULL);
    lenet_pool.workers = lenet_pool.asleep = 0;
    atomic_store(&lenet_pool.running, 0);
}

static int lenet_pool_init(void) { return pthread_atfork(NULL, NULL, lenet_pool_after_fork); }

static void lenet_pool_run(lenet_job job, void *arg, int parts)
{
    int helpers;
    if (parts > LENET_POOL_MAX) parts = LENET_POOL_MAX;
    if (parts <= 1 || pthread_mutex_trylock(&lenet_pool.owner)) {
        for (int i = 0; i < parts; i++) job(arg, i, parts);
        return;
    }
    lenet_pool_grow(parts - 1);
    helpers = lenet_pool.workers < parts - 1 ? lenet_pool.workers : parts - 1;
    if (helpers > 0) {
        lenet_pool.job = job;
        lenet_pool.arg = arg;
        lenet_pool.parts = parts;
        fegetenv(&lenet_pool.environment);
        atomic_store_explicit(&lenet_pool.running, lenet_pool.workers, memory_order_relaxed);
        pthread_mutex_lock(&lenet_pool.lock);
        atomic_fetch_add_explicit(&lenet_pool.generation, 1, memory_order_release);
        if (lenet_pool.asleep) pthread_cond_broadcast(&lenet_pool.wake);
        pthread_mutex_unlock(&lenet_pool.lock);
    }
    job(arg, 0, parts);
    for (int i = helpers + 1; i < parts; i++) job(arg, i, parts);      /* parts that no worker could be started for */
    for (int i = 0; helpers > 0 && atomic_load_explicit(&lenet_pool.running, memory_order_acquire); i++) {
        if (i < LENET_POOL_SPIN) LENET_RELAX();
        else sched_yield();
    }
    pthread_mutex_unlock(&lenet_pool.owner);
}

#endif
#endif
