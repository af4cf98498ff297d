# Scores of images, and the outputs of every layer.
from lenet_c.kernels.types cimport Images, Shard


cdef struct ScoreJob:
    const Kernels* kernels
    Shard shard                          # what all shards have in common
    number* out
    char* workspace                      # `room` bytes a thread, then as many for each shard that a team shares
    size_t room
    Py_ssize_t n, size                   # images, of a shard
    int threads, shards, single          # single: how many are one thread's work
    Atomic taken
    Turns[32] turns


cdef Shard score_shard(const ScoreJob* job, int number, char* workspace) noexcept nogil:
    cdef Shard s = job.shard
    cdef Py_ssize_t scores = s.net.classes * s.net.c5.height * s.net.c5.width
    s.first, s.workspace = number * job.size, workspace
    s.n = min(job.size, job.n - s.first)
    s.scores = number_at(job.out, s.first * scores, job.kernels.number_size)
    return s


cdef void score_step(void* arg, int stage, int part, int parts) noexcept nogil:
    cdef ScoreJob* job = (<ScoreTeam*>arg).job
    job.kernels.shard_stage(&(<ScoreTeam*>arg).shard, stage, part, parts)


cdef struct ScoreTeam:
    ScoreJob* job
    Shard shard


cdef void score_work(void* arg, int i) noexcept nogil:
    cdef ScoreJob* job = <ScoreJob*>arg
    cdef Shard shard
    cdef ScoreTeam team
    cdef int left = job.shards - job.single, k, number = lenet_next(&job.taken, job.single)
    while number >= 0:
        shard = score_shard(job, number, job.workspace + i * job.room)
        job.kernels.shard(&shard)
        number = lenet_next(&job.taken, job.single)
    for k in range(left):
        number = (i + k) % left
        team.job = job
        team.shard = score_shard(job, job.single + number, job.workspace + (job.threads + number) * job.room)
        lenet_stages_run(&job.turns[number], job.kernels.shard_stages(&team.shard), team_size(left, job.threads),
                         score_step, &team)


cdef bint scores(Engine engine, Net net, theta, images, out, int threads) except -1:
    cdef Array x = engine.pixels(images, net), w = engine.numbers(theta, "theta", (net.net.total,))
    cdef Py_ssize_t n = x.buffer.shape[0], blocks = (n + engine.k.lanes - 1) // engine.k.lanes
    cdef Array y = engine.numbers(out, "out", (n, net.net.c5.height * net.net.c5.width, net.net.classes), True)
    cdef Images source = all_images(x)
    cdef Memory memory
    cdef ScoreJob job
    memset(&job, 0, sizeof(ScoreJob))
    job.kernels, job.shard.net, job.shard.images, job.shard.theta = engine.k, &net.net, &source, <const number*>w.data
    job.out, job.n, job.threads = <number*>y.data, n, check_threads(threads)
    job.size = engine.k.lanes * min(max(blocks // (4 * job.threads), 1), 8)
    job.shards = <int>((n + job.size - 1) // job.size)
    job.single = single_shards(job.shards, job.threads)
    job.room = align64(engine.k.workspace(&net.net))
    memory = take_memory(job.room * (job.threads + job.shards - job.single))
    job.workspace = memory.data
    with nogil:
        lenet_pool_share(score_work, &job, job.threads if job.shards >= job.threads
                         else min(job.threads, TEAM * job.shards))
    give_memory(memory)
    return finite(y)


cdef int activations(Engine engine, Net net, theta, images, outs) except -1:
    cdef Array x = engine.pixels(images, net), w = engine.numbers(theta, "theta", (net.net.total,)), y
    cdef Py_ssize_t n = x.buffer.shape[0]
    cdef Memory memory = take_memory(engine.k.workspace(&net.net))
    cdef (number*)[7] out
    cdef Images source = all_images(x)
    cdef dict views = {name: engine.numbers(a, name, (n, *net.shapes[name]), True)
                       for a, name in zip(outs, list(net.shapes)[1:], strict=True)}
    for i, name in enumerate(("c1", "s2", "c3", "s4", "c5", "f6", "output")):
        y = views.get("average" if name == "f6" and "average" in views else name)
        out[i] = NULL if y is None else <number*>y.data
    with nogil:
        engine.k.activations(out, &source, n, <const number*>w.data, &net.net, memory.data)
    give_memory(memory)
    return 0
