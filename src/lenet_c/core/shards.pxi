# A batch of training: its shards, which threads take one after another or share in teams, and then its tasks.
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from lenet_c.kernels.types cimport SUM, Batch, Images, Kernels, Shard, Update

cdef enum:
    SHARD = 16                           # images whose gradients are summed together,
    LARGE_SHARD = 32                     # of batches above
    LARGE = 512
    MOST_ROWS = 1024                     # images whose inputs of the full layers are held at once
    TEAM = 4                             # threads that share a shard, at most
    BRIEF = 96                           # images, fewer of which are done before a thread is awake
    PACED = 512                          # images of a batch, fewer of which are kept at a pace
    PROBE = 4_000_000                    # nanoseconds
    WINDOW = 64_000_000                  # between two probes, at first; up to
    LONG_WINDOW = 512_000_000

# How many of its threads a training uses: all of them, or half, a quarter, ... where that is faster, as it is for small
# batches on cores that are slow to hear of each other. Now and then the next more or fewer are tried.
cdef struct Pace:
    int level, probing, direction        # threads >> level; the step that is tried; the one to be tried next
    double spent, images                 # nanoseconds and images since it began
    double rate, window                  # of the level before the step; nanoseconds until the next one

cdef struct Job:
    const Kernels* kernels
    Shard shard                          # what all shards have in common
    Batch batch
    Py_ssize_t stretch, rest             # numbers: of a block in `rows`, of a shard's gradient
    number* rows
    number* gradients                    # one a shard
    double* loss
    int64_t* errors
    const number* target                 # distributions of classes; NULL: the labels alone
    const Draw* draw                     # NULL: the images are presented as they are
    Py_ssize_t image_bytes
    char* workspace                      # `room` bytes a thread, then as many for each shard that a team shares
    size_t room
    Py_ssize_t first, n, size            # of the images at hand; in a shard
    int threads, active                  # those that there are, and that are used
    Pace* pace
    int shards, single, tasks            # single: how many shards are one thread's work
    Atomic* taken                        # of these
    Turns* turns                         # of the others
    number* partial                      # the gradient of a part of the batch
    Atomic* claims                       # of the batch's tasks, by its
    long turn


cdef uint64_t draw_of(uint64_t seed, Py_ssize_t step) noexcept nogil:
    return ((seed + 1) * <uint64_t>0x9e3779b97f4a7c15 + <uint64_t>step) | (<uint64_t>1 << 63)


cdef int single_shards(int shards, int threads) noexcept nogil:
    # how many are one thread's work: all but the last ones, which leave half of the threads without one
    cdef int left = shards % threads
    return shards - left if 2 * left <= threads else shards


cdef int paced(const Pace* pace, int threads) noexcept nogil:
    return max(1, threads >> (pace.level + pace.probing))


cdef void keep_pace(Pace* pace, int threads, double taken, Py_ssize_t images) noexcept nogil:
    # after `images`, which took so many nanoseconds
    cdef int level
    pace.spent += taken
    pace.images += images
    if pace.probing:
        if pace.spent < PROBE:
            return
        pace.window = min(2 * pace.window, <double>LONG_WINDOW)
        if pace.images > 1.03 * pace.rate * pace.spent:
            pace.level += pace.probing
            pace.window = WINDOW
        pace.probing = 0
    else:
        pace.window = max(pace.window, <double>WINDOW)
        if pace.spent < pace.window:
            return
        pace.rate = pace.images / pace.spent
        pace.direction = 1 if pace.direction <= 0 else -1
        level = pace.level + pace.direction
        if level < 0 or threads >> level == 0:
            level = pace.level - pace.direction
        pace.probing = level - pace.level if level >= 0 and threads >> level > 0 else 0
    pace.spent, pace.images = 0, 0


cdef int team_size(int shards, int threads) noexcept nogil:
    # parts of a stage
    return min(TEAM, threads // shards)


cdef Shard shard_of(const Job* job, int number, char* workspace) noexcept nogil:
    cdef Shard s = job.shard
    s.first = job.first + number * job.size
    s.n = min(job.size, job.n - number * job.size)
    s.gradient = number_at(job.gradients, number * job.rest, job.kernels.number_size)
    s.rows = number_at(job.rows, number * job.size // job.kernels.lanes * job.stretch, job.kernels.number_size)
    s.loss, s.errors, s.workspace = job.loss + number, job.errors + number, workspace
    return s


cdef void show_presented(Shard* s, const Presented* p) noexcept nogil:
    s.images, s.labels, s.weight, s.first = &p.images, p.labels, p.weight, 0


cdef struct Team:
    const Job* job
    Shard* shard
    Presented* presented
    char* room                           # the thread's own


cdef void team_step(void* arg, int stage, int part, int parts) noexcept nogil:
    # images are distorted in a stage of their own before the others
    cdef Team* team = <Team*>arg
    if team.job.draw == NULL:
        team.job.kernels.target_shard_stage(team.shard, team.job.target, stage, part, parts)
    elif stage:
        team.job.kernels.target_shard_stage(team.shard, team.presented.target, stage - 1, part, parts)
    else:
        present(team.presented, team.job, team.shard.n * part // parts, team.shard.n * (part + 1) // parts, team.room)


cdef void shards_work(void* arg, int i) noexcept nogil:
    # shards, as long as there are any; then parts of those that threads share
    cdef Job* job = <Job*>arg
    cdef char* workspace = job.workspace + i * job.room
    cdef int number, left = job.shards - job.single, k, stages
    cdef size_t behind = align64(job.kernels.workspace(job.shard.net))      # where presented images lie
    cdef Presented presented
    cdef Shard shard
    cdef Team team
    presented.target = job.target
    number = lenet_next(job.taken, job.single)
    while number >= 0:
        shard = shard_of(job, number, workspace)
        if job.draw != NULL:
            presented = presented_of(job, shard.first, shard.n, workspace + behind)
            present(&presented, job, 0, shard.n, workspace + behind)
            show_presented(&shard, &presented)
        job.kernels.target_shard(&shard, presented.target)
        number = lenet_next(job.taken, job.single)
    for k in range(left):
        number = (i + k) % left
        shard = shard_of(job, job.single + number, job.workspace + (job.threads + number) * job.room)
        stages = job.kernels.shard_stages(&shard)
        if job.draw != NULL:
            presented = presented_of(job, shard.first, shard.n, <char*>shard.workspace + behind)
            show_presented(&shard, &presented)
            stages += 1
        team.job, team.shard, team.presented, team.room = job, &shard, &presented, workspace + behind
        lenet_stages_run(job.turns + number, stages, team_size(left, job.active), i // left, team_step, &team)


cdef void tasks_work(void* arg, int i) noexcept nogil:
    # those of the same numbers in every batch, and then what others have left
    cdef Job* job = <Job*>arg
    cdef int k, task
    for k in range(job.tasks):
        task = (i * job.tasks // job.active + k) % job.tasks
        if lenet_claim(job.claims + task, job.turn):
            job.kernels.batch_task(&job.batch, task)


cdef void compute_shards(Job* job) noexcept nogil:
    # of the images at hand
    cdef int s
    job.shards = <int>((job.n + job.size - 1) // job.size)
    job.single = single_shards(job.shards, job.active)
    memset(job.loss, 0, job.shards * sizeof(double))
    memset(job.errors, 0, job.shards * sizeof(int64_t))
    memset(job.turns, 0, (job.shards - job.single) * sizeof(Turns))
    set_atomic(job.taken, 0)
    lenet_pool_share(shards_work, job, min(job.active, TEAM * job.shards), job.n < BRIEF)


cdef void compute_tasks(Job* job, bint begun, bint more, const Update* rule) noexcept nogil:
    # begun: there were images of the batch before those at hand; more: there are others, and the sum so far is kept
    cdef Batch given = job.batch
    cdef Update sum
    sum.rule = SUM
    job.batch.rows, job.batch.gradients, job.batch.count = job.rows, job.gradients, job.shards
    job.batch.blocks = <int>((job.n + job.kernels.lanes - 1) // job.kernels.lanes)
    job.batch.begin, job.batch.rule = job.partial if begun else NULL, rule
    if more:
        job.batch.state1, job.batch.rule = job.partial, &sum
    job.turn += 1
    lenet_pool_share(tasks_work, job, <int>min(<Py_ssize_t>job.active, (job.n + 7) // 8), True)
    job.batch = given


cdef bint compute_batch(Job* job, Py_ssize_t first, Py_ssize_t n, const Update* rule, double* loss,
                        int64_t* errors) noexcept nogil:
    # Returns False, and leaves the parameters as they were, where they would be changed by a loss that is not finite.
    cdef Py_ssize_t done = 0
    cdef int s
    cdef bint keep = job.threads > 1 and n < PACED
    cdef int64_t begin = lenet_now() if keep else 0
    job.active = paced(job.pace, job.threads) if keep else job.threads
    while done < n:
        job.first, job.n = first + done, min(<Py_ssize_t>MOST_ROWS, n - done)
        compute_shards(job)
        for s in range(job.shards):
            loss[0] += job.loss[s]
            errors[0] += job.errors[s]
        done += job.n
        if done == n and rule.rule != SUM and not isfinite(loss[0]):
            return False
        compute_tasks(job, done > job.n, done < n, rule)
    if keep:
        keep_pace(job.pace, job.threads, <double>(lenet_now() - begin), n)
    return True


cdef char* carve(char** at, size_t size) noexcept nogil:
    cdef char* here = at[0]
    at[0] += align64(size)
    return here


cdef size_t lay_out(Job* job, char* memory, Py_ssize_t most, bint parts) noexcept nogil:
    # what a batch of `most` images at a time needs, beside the workspaces; returns its size. parts: of a larger batch,
    # for which a gradient comes at the end
    cdef Py_ssize_t shards = (most + job.size - 1) // job.size, number_size = job.kernels.number_size
    cdef char* at = memory
    job.rows = <number*>carve(&at, (most + job.kernels.lanes - 1) // job.kernels.lanes * job.stretch * number_size)
    job.gradients = <number*>carve(&at, shards * job.rest * number_size)
    job.loss = <double*>carve(&at, shards * sizeof(double))
    job.errors = <int64_t*>carve(&at, shards * sizeof(int64_t))
    job.turns = <Turns*>carve(&at, shards * sizeof(Turns))
    job.taken = <Atomic*>carve(&at, sizeof(Atomic))
    job.claims = <Atomic*>carve(&at, job.tasks * sizeof(Atomic))
    job.partial = <number*>carve(&at, job.shard.net.size * number_size if parts else 0)
    return at - memory
