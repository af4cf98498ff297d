/* A pool of threads. What is to be done is taken piece by piece by whoever is free, so that nobody waits for a thread that
 * is slow, asleep or not there:
 *
 *   lenet_pool_share(work, arg, threads, brief)   calls work(arg, i) on up to `threads` threads at once, each with an i of
 *                                          its own below `threads`, 0 on the caller's. One of them alone must do it all.
 *   lenet_pool_run(job, arg, parts)        job(arg, i, parts) for i = 0 .. parts - 1, each once, part 0 by the caller.
 *
 * Both return when all is done and no other thread is in it. A worker that has not begun by then is not waited for. Workers
 * are woken one by one, as many as are asked for; idle ones spin for some microseconds, yield, and sleep. Work that is
 * brief wakes nobody, as that takes longer, unless it follows at once on other work. A second caller
 * at the same time, and a machine without threads, do all of it themselves. After fork() the child starts without
 * workers. All is computed in the caller's floating-point environment: rounding mode, denormals flushed to zero or not.
 */
#ifndef LENET_C_POOL_H
#define LENET_C_POOL_H

#include <stddef.h>
#include <stdint.h>

typedef void (*lenet_work)(void *arg, int i);
typedef void (*lenet_job)(void *arg, int part, int parts);

enum { LENET_POOL_MAX = 64 };

#if defined(_WIN32) || defined(LENET_NO_THREADS)

typedef long lenet_atomic;
typedef int64_t lenet_atomic64;
#  define LENET_LOAD(a) (*(a))
#  define LENET_STORE(a, value) (*(a) = (value))
#  define LENET_ADD(a, value) ((*(a) += (value)) - (value))
#  define LENET_SWAP_IF(a, expected, value) (*(a) == *(expected) ? (*(a) = (value), 1) : (*(expected) = *(a), 0))

static int lenet_pool_init(void) { return 0; }
static int64_t lenet_now(void) { return 0; }
static void lenet_backoff(unsigned *turns) { (void)turns; }
static void lenet_pool_share(lenet_work work, void *arg, int threads, int brief)
{
    (void)brief;
    if (threads > 0) work(arg, 0);
}

#else

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

typedef atomic_long lenet_atomic;
typedef _Atomic int64_t lenet_atomic64;
#  define LENET_LOAD(a) atomic_load_explicit(a, memory_order_acquire)
#  define LENET_STORE(a, value) atomic_store_explicit(a, value, memory_order_release)
#  define LENET_ADD(a, value) atomic_fetch_add_explicit(a, value, memory_order_acq_rel)
#  define LENET_SWAP_IF(a, expected, value) \
    atomic_compare_exchange_strong_explicit(a, expected, value, memory_order_acq_rel, memory_order_acquire)

#if defined(__x86_64__) || defined(__i386__)
#  define LENET_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#  define LENET_RELAX() __asm__ volatile("yield")
#else
#  define LENET_RELAX() ((void)0)
#endif

enum { LENET_FREE, LENET_INVITED, LENET_WORKING };
enum { LENET_YIELDS = 100, LENET_AT_ONCE = 30000 };      /* nanoseconds: less than an idle worker stays awake */

typedef struct {
    _Alignas(128) atomic_int state;          /* FREE; INVITED by the caller, who may take that back; WORKING */
    atomic_int asleep;
    pthread_mutex_t lock;                    /* of what follows, and of going to sleep */
    pthread_cond_t wake;
#ifdef CPU_COUNT
    pthread_t thread;
    cpu_set_t cores;                         /* that it may use */
    int kept_off;                            /* one of them */
#endif
} lenet_worker;

static struct {
    pthread_mutex_t owner;                   /* held by the caller whose work is shared */
    lenet_work work;
    void *arg;
    int workers;
    unsigned spins;                          /* pauses in about 5 microseconds */
    long cores;                              /* workers beyond them do not spin */
    int64_t end;                             /* of the last work, in nanoseconds */
    fenv_t environment;                      /* the caller's */
    lenet_worker worker[LENET_POOL_MAX];     /* the first is not used */
} lenet_pool = { .owner = PTHREAD_MUTEX_INITIALIZER, .spins = 100, .cores = 1 };

/* Waits a little, the longer the more often it is called for the same thing: a pause; then other threads may run; then the
 * core is left, so that the system may move a thread here that waits for one. */
static void lenet_backoff(unsigned *turns)
{
    const struct timespec nap = {0, 20000};
    if (*turns < lenet_pool.spins) LENET_RELAX();
    else if (*turns < lenet_pool.spins + LENET_YIELDS) sched_yield();
    else nanosleep(&nap, NULL);
    if (*turns < lenet_pool.spins + LENET_YIELDS) ++*turns;
}

/* Wakes a worker, on another core than the caller's, which some systems would choose and which is busy. */
static void lenet_pool_wake(lenet_worker *w)
{
    pthread_mutex_lock(&w->lock);
#ifdef CPU_COUNT
    cpu_set_t others = w->cores;
    const int here = sched_getcpu();
    if (here >= 0) CPU_CLR(here, &others);
    if (CPU_COUNT(&others)) w->kept_off = !pthread_setaffinity_np(w->thread, sizeof others, &others);
#endif
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static void lenet_pool_sleep(lenet_worker *self)
{
    pthread_mutex_lock(&self->lock);
#ifdef CPU_COUNT
    self->thread = pthread_self();
    CPU_ZERO(&self->cores);
    pthread_getaffinity_np(self->thread, sizeof self->cores, &self->cores);
    self->kept_off = 0;
#endif
    atomic_store(&self->asleep, 1);
    if (atomic_load(&self->state) != LENET_INVITED) pthread_cond_wait(&self->wake, &self->lock);
    atomic_store(&self->asleep, 0);
#ifdef CPU_COUNT
    if (self->kept_off) pthread_setaffinity_np(self->thread, sizeof self->cores, &self->cores);
#endif
    pthread_mutex_unlock(&self->lock);
}

static void *lenet_pool_worker(void *number)
{
    const int id = (int)(intptr_t)number;
    lenet_worker *self = &lenet_pool.worker[id];
    for (;;) {
        unsigned turns = id < lenet_pool.cores ? 0 : lenet_pool.spins + LENET_YIELDS;
        int invited = LENET_INVITED;
        while (turns < lenet_pool.spins + LENET_YIELDS && atomic_load_explicit(&self->state, memory_order_relaxed) != LENET_INVITED)
            lenet_backoff(&turns);
        if (atomic_load(&self->state) != LENET_INVITED) lenet_pool_sleep(self);
                                             /* too late: awake for the next work, which may follow at once */
        if (atomic_compare_exchange_strong(&self->state, &invited, LENET_WORKING)) {
            fesetenv(&lenet_pool.environment);
            lenet_pool.work(lenet_pool.arg, id);
            atomic_store_explicit(&self->state, LENET_FREE, memory_order_release);
        }
    }
    return NULL;
}

/* Starts workers up to `wanted`; the caller holds `owner`. A worker takes no signal from the threads of the program, which
   may have blocked it, but those of its own faults. */
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
        lenet_worker *w = &lenet_pool.worker[lenet_pool.workers + 1];
        pthread_t thread;
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->wake, NULL);
        atomic_store(&w->asleep, 0);
        atomic_store(&w->state, LENET_FREE);
        if (pthread_create(&thread, &detached, lenet_pool_worker, (void *)(intptr_t)(lenet_pool.workers + 1))) break;
        lenet_pool.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
}

static void lenet_pool_after_fork(void)
{
    pthread_mutex_init(&lenet_pool.owner, NULL);
    lenet_pool.workers = 0;
}

static int64_t lenet_now(void)               /* nanoseconds, for differences */
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1000000000 * (int64_t)now.tv_sec + now.tv_nsec;
}

static int lenet_pool_init(void)
{
    const int64_t begin = lenet_now();
    double ns;
    for (int i = 0; i < 256; i++) LENET_RELAX();
    ns = (double)(lenet_now() - begin) / 256;
    lenet_pool.spins = ns > 1 ? (unsigned)(5000 / ns) + 1 : 5000;
    lenet_pool.cores = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
    cpu_set_t allowed;
    if (!sched_getaffinity(0, sizeof allowed, &allowed)) lenet_pool.cores = CPU_COUNT(&allowed);
#endif
    return pthread_atfork(NULL, NULL, lenet_pool_after_fork);
}

static void lenet_pool_share(lenet_work work, void *arg, int threads, int brief)
{
    int helpers, wake;
    if (threads > LENET_POOL_MAX) threads = LENET_POOL_MAX;
    if (threads < 1) return;
    if (threads == 1 || pthread_mutex_trylock(&lenet_pool.owner)) {
        work(arg, 0);
        return;
    }
    lenet_pool_grow(threads - 1);
    helpers = lenet_pool.workers < threads - 1 ? lenet_pool.workers : threads - 1;
    lenet_pool.work = work;
    lenet_pool.arg = arg;
    fegetenv(&lenet_pool.environment);
    wake = !brief || lenet_now() - lenet_pool.end < LENET_AT_ONCE;
    for (int i = 1; i <= helpers; i++) {
        lenet_worker *w = &lenet_pool.worker[i];
        atomic_store(&w->state, LENET_INVITED);
        if (wake && atomic_load(&w->asleep)) lenet_pool_wake(w);
    }
    work(arg, 0);
    for (int i = 1; i <= helpers; i++) {
        lenet_worker *w = &lenet_pool.worker[i];
        int invited = LENET_INVITED;
        unsigned turns = 0;
        if (atomic_compare_exchange_strong(&w->state, &invited, LENET_FREE)) continue;
        while (atomic_load_explicit(&w->state, memory_order_acquire) != LENET_FREE) lenet_backoff(&turns);
    }
    lenet_pool.end = lenet_now();
    pthread_mutex_unlock(&lenet_pool.owner);
}

#endif

/* The pieces 0 .. count - 1 of something, taken one after another: the next, or -1 when all are taken. */
static int lenet_next(lenet_atomic *taken, int count)
{
    if (LENET_LOAD(taken) >= count) return -1;
    long piece = LENET_ADD(taken, 1);
    return piece < count ? (int)piece : -1;
}

/* Whether the caller is the first to claim something for `turn`; claims begin below all turns. */
static inline int lenet_claim(lenet_atomic *claim, long turn)
{
    long before = LENET_LOAD(claim);
    return before < turn && LENET_SWAP_IF(claim, &before, turn);
}

typedef struct {
    lenet_job job;
    void *arg;
    int parts;
    lenet_atomic taken;
} lenet_parts;

static void lenet_take_parts(void *arg, int i)
{
    lenet_parts *all = (lenet_parts *)arg;
    int part = i ? lenet_next(&all->taken, all->parts) : 0;
    while (part >= 0) {
        all->job(all->arg, part, all->parts);
        part = lenet_next(&all->taken, all->parts);
    }
}

static void lenet_pool_run(lenet_job job, void *arg, int parts)
{
    lenet_parts all;
    if (parts < 1) return;
    all.job = job;
    all.arg = arg;
    all.parts = parts;
    LENET_STORE(&all.taken, 1);
    lenet_pool_share(lenet_take_parts, &all, parts, 0);
}

/* Stages that follow one another, each of `parts` parts, 32 at most: whoever comes takes parts of the stage that is on,
 * number `i` part i % parts where nobody has taken it, as what that needs may lie in its cache; the stage after it begins
 * when all of them are done. Begins with zeros. */
typedef void (*lenet_step)(void *arg, int stage, int part, int parts);
typedef struct {
    lenet_atomic64 turn;                     /* stage << 32 | a bit for each part of it that is taken */
    lenet_atomic done;
} lenet_stages;

static void lenet_stages_run(lenet_stages *s, int stages, int parts, int i, lenet_step step, void *arg)
{
    const int64_t all = ((int64_t)1 << parts) - 1;
    unsigned turns = 0;
    int64_t turn = LENET_LOAD(&s->turn);
    while ((turn >> 32) < stages) {
        const int64_t taken = turn & all;
        int part = i % parts;
        if (taken == all) {
            const int64_t now = LENET_LOAD(&s->turn);
            if (now == turn) lenet_backoff(&turns);
            turn = now;
            continue;
        }
        while (taken >> part & 1) part = (part + 1) % parts;
        if (LENET_SWAP_IF(&s->turn, &turn, turn | (int64_t)1 << part)) {
            const int stage = (int)(turn >> 32);
            step(arg, stage, part, parts);
            if (LENET_ADD(&s->done, 1) == parts - 1) {
                LENET_STORE(&s->done, 0);
                LENET_STORE(&s->turn, (int64_t)(stage + 1) << 32);
            }
            turns = 0;
            turn = LENET_LOAD(&s->turn);
        }
    }
}

#endif
