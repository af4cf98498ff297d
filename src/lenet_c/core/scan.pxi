# A larger image, scanned by the network: the sizes checked, the tiles chosen, the work divided.
from lenet_c.kernels.types cimport C3, Kernels, Scan, Size, lenet_tile

cdef struct ScanJob:
    const Kernels* kernels
    const Scan* scan
    const NetStruct* net
    const NetStruct* tile
    const number* theta
    number* s4
    number* out
    char* workspace                      # `room` bytes a thread
    size_t room
    Py_ssize_t n                         # tiles, or positions of the output
    int blocks                           # of them, `lanes` a block
    Atomic taken


cdef void scan_tiles_work(void* arg, int i) noexcept nogil:
    cdef ScanJob* job = <ScanJob*>arg
    cdef int lanes = job.kernels.lanes, b = lenet_next(&job.taken, job.blocks)
    while b >= 0:
        job.kernels.scan_tiles(job.s4, job.scan, <Py_ssize_t>b * lanes, min(<Py_ssize_t>lanes, job.n - b * lanes),
                               job.theta, job.tile, job.workspace + i * job.room)
        b = lenet_next(&job.taken, job.blocks)


cdef void scan_scores_work(void* arg, int i) noexcept nogil:
    cdef ScanJob* job = <ScanJob*>arg
    cdef int lanes = job.kernels.lanes, b = lenet_next(&job.taken, job.blocks)
    while b >= 0:
        job.kernels.scan_scores(job.out, job.s4, job.scan, <Py_ssize_t>b * lanes,
                                min(<Py_ssize_t>lanes, job.n - b * lanes), job.theta, job.net,
                                job.workspace + i * job.room)
        b = lenet_next(&job.taken, job.blocks)


cdef void share_scan(ScanJob* job, Py_ssize_t n, int threads, void (*work)(void*, int) noexcept nogil) noexcept nogil:
    job.n, job.blocks = n, <int>((n + job.kernels.lanes - 1) // job.kernels.lanes)
    set_atomic(&job.taken, 0)
    lenet_pool_share(work, job, min(threads, job.blocks))


cdef Py_ssize_t tile_count(const Size* s4, int height, int width) noexcept nogil:
    return <Py_ssize_t>((s4.height + height - 1) // height) * ((s4.width + width - 1) // width)


cdef Size choose_tile(const Size* s4, int lanes, int threads) noexcept nogil:
    # The tile of S4 whose whole blocks cost the busiest thread least. The weights are measured multiply-adds per unit:
    # a unit of S2 with the four of C1 below it, a unit of S4 with C3's, a pixel packed. Up to 64 units, which the
    # second-level cache holds.
    cdef Size best, size
    cdef double cost, least = 0
    cdef Py_ssize_t blocks
    cdef int w, h
    cdef int[4] width
    width[0], width[1], width[2], width[3] = 4, 5, 8, 10         # C3's columns are whole register tiles
    best.height, best.width = 1, 4
    for w in range(4):
        for h in range(1, 64 // width[w] + 1):
            size.height, size.width = h, width[w]
            blocks = (tile_count(s4, h, width[w]) + lanes - 1) // lanes
            cost = (1000.0 * (2 * h + 4) * (2 * width[w] + 4) + 7800.0 * h * width[w]
                    + 25.0 * (4 * h + 12) * (4 * width[w] + 12)) * ((blocks + threads - 1) // threads)
            if least == 0 or cost < least:
                best, least = size, cost
    return best


cdef bint scan(Engine engine, Net net, theta, image, out, int threads, tile) except -1:
    cdef Array x = view(image, "image", "B" + engine.code, (None, None)), w, y
    cdef Py_ssize_t height = x.buffer.shape[0], width = x.buffer.shape[1]
    cdef NetStruct* n = &net.net
    cdef NetStruct part = net.net
    cdef Scan scan
    cdef ScanJob job
    cdef Memory memory, map
    cdef int lanes = engine.k.lanes
    if n.c5.height != 1 or n.c5.width != 1:
        raise ValueError("scan needs a network with one output position")
    if not n.x.height <= height < 1 << 24 or not n.x.width <= width < 1 << 24:
        raise ValueError(f"image: expected at least {n.x.height} x {n.x.width} pixels and less than {1 << 24} a "
                         f"side, got {height} x {width}")
    w = engine.numbers(theta, "theta", (n.total,))
    check_threads(threads)
    scan.pixels, scan.bytes, scan.height, scan.width = x.data, x.buffer.itemsize == 1, height, width
    scan.rows, scan.columns = (height - n.x.height) // 4 + 1, (width - n.x.width) // 4 + 1
    scan.s4.height, scan.s4.width = scan.rows + n.s4.height - 1, scan.columns + n.s4.width - 1
    y = engine.numbers(out, "out", (scan.rows, scan.columns, n.classes), True)
    if tile is None:
        scan.tile = choose_tile(&scan.s4, lanes, threads)
    else:
        scan.tile.height, scan.tile.width = tile
        if not (1 <= scan.tile.height <= 64 and 1 <= scan.tile.width <= 64):
            raise ValueError(f"tile: expected 1 .. 64 rows and columns, got {tile}")
    lenet_tile(&part, scan.tile.height, scan.tile.width)
    job.kernels, job.scan, job.net, job.tile = engine.k, &scan, n, &part
    job.theta, job.out = <const number*>w.data, <number*>y.data
    job.room = align64(max(engine.k.workspace(n), engine.k.workspace(&part)))
    memory = take_memory(job.room * threads)
    map = take_memory((<Py_ssize_t>C3 * scan.s4.height * scan.s4.width + lanes) * engine.k.number_size)
    job.workspace, job.s4 = memory.data, <number*>map.data
    with nogil:
        share_scan(&job, tile_count(&scan.s4, scan.tile.height, scan.tile.width), threads, scan_tiles_work)
        share_scan(&job, <Py_ssize_t>scan.rows * scan.columns, threads, scan_scores_work)
    give_memory(memory)
    give_memory(map)
    return finite(y)
