# Single layers on arrays (n, maps, height, width) or (n, units).
from libc.limits cimport INT_MAX
from libc.stdint cimport uint64_t

from lenet_c.kernels.types cimport (AVERAGE, C3, C5, KERNEL, LP, MAP, MAX, MSE, STOCHASTIC, Activation, Links, Pooling,
                                    lenet_link)

POOLS = {"average": AVERAGE, "max": MAX, "lp": LP, "stochastic": STOCHASTIC}


cdef int link(Links* links, Py_ssize_t n_in, table) except -1:
    # table: uint8 (n_in, n_out), not 0 where output map m reads input map k
    cdef Array t = view(table, "table", "B", (n_in, None))
    cdef Py_ssize_t n_out = t.buffer.shape[1], k, m
    cdef unsigned char[C5 * C3] rows
    if n_in * n_out > C5 * C3:
        raise ValueError(f"table: {n_in} x {n_out} maps, more than {C5 * C3} pairs")
    for m in range(n_out):
        for k in range(n_in):
            rows[m * n_in + k] = (<const unsigned char*>t.data)[k * n_out + m]
    if lenet_link(links, <int>n_in, <int>n_out, rows):
        raise ValueError(f"table: 1 to {C5} maps a side, got {n_in} x {n_out}")
    return 0


cdef int check_maps(Py_ssize_t maps, Py_ssize_t height, Py_ssize_t width, int least, str name="x") except -1:
    if height < least or width < least:
        raise ValueError(f"{name}: maps must be at least {least} x {least}, got {height} x {width}")
    if maps < 1 or height > INT_MAX // width or maps > INT_MAX // (height * width):
        raise ValueError(f"{name}: expected 1 to {INT_MAX} numbers an image, got {maps} x {height} x {width}")
    return 0


cdef int check_units(Py_ssize_t n_in, Py_ssize_t n_out) except -1:
    # none on one side is a layer; none on both would have images of nothing, of any number
    if n_in > INT_MAX or n_out > INT_MAX or n_in * n_out > INT_MAX or n_in + n_out < 1:
        raise ValueError(f"expected 1 to {INT_MAX} numbers, got {n_in} x {n_out}")
    return 0


cdef struct Maps:
    Py_ssize_t n, maps
    int height, width


cdef Maps maps_of(Array x, int least) except *:
    # the sizes of maps (n, maps, height, width) that a kernel can take
    cdef Maps m
    check_maps(x.buffer.shape[1], x.buffer.shape[2], x.buffer.shape[3], least)
    m.n, m.maps = x.buffer.shape[0], x.buffer.shape[1]
    m.height, m.width = <int>x.buffer.shape[2], <int>x.buffer.shape[3]
    return m


cdef Memory layer_memory(Engine engine, Py_ssize_t vecs):
    return take_memory(vecs * engine.k.alignment + 8 * GUARD)            # a kernel takes up to 8 buffers


cdef Pooling pooling_of(str kind, double p, draw, uint64_t layer) except *:
    cdef Pooling pooling
    if kind not in POOLS:
        raise ValueError(f"kind: expected one of {', '.join(POOLS)}, got {kind!r}")
    pooling.kind, pooling.p, pooling.layer = POOLS[kind], p, layer
    pooling.draw = 0 if draw is None else draw_of(<uint64_t>draw, 0)
    return pooling


cdef int conv_forward(Engine engine, x, w, b, table, out) except -1:
    cdef Array xs = engine.numbers(x, "x", MAPS), ws, bs, ys
    cdef Links links
    cdef Memory memory
    cdef Maps m
    link(&links, xs.buffer.shape[1], table)
    m = maps_of(xs, KERNEL)
    check_maps(links.n_out, m.height - KERNEL + 1, m.width - KERNEL + 1, 1, "y")
    ws = engine.numbers(w, "w", (links.n_out, links.n_in, KERNEL, KERNEL))
    bs = engine.numbers(b, "b", (links.n_out,))
    ys = engine.numbers(out, "out", (m.n, links.n_out, m.height - KERNEL + 1, m.width - KERNEL + 1), True)
    memory = layer_memory(engine, <Py_ssize_t>(links.n_in + links.n_out) * m.height * m.width)
    with nogil:
        engine.k.conv_forward(<number*>ys.data, <number*>xs.data, <number*>ws.data, <number*>bs.data, &links, m.n,
                              m.height, m.width, memory.data)
    give_memory(memory)
    return 0


cdef int conv_backward(Engine engine, du, x, w, table, dx, dw, db) except -1:
    cdef Array xs = engine.numbers(x, "x", MAPS), ws, dus, dxs, dws, dbs
    cdef Links links
    cdef Memory memory
    cdef Maps m
    cdef tuple shape
    link(&links, xs.buffer.shape[1], table)
    m = maps_of(xs, KERNEL)
    check_maps(links.n_out, m.height - KERNEL + 1, m.width - KERNEL + 1, 1, "y")
    shape = (links.n_out, links.n_in, KERNEL, KERNEL)
    ws, dws = engine.numbers(w, "w", shape), engine.numbers(dw, "dw", shape, True)
    dus = engine.numbers(du, "du", (m.n, links.n_out, m.height - KERNEL + 1, m.width - KERNEL + 1))
    dxs = engine.numbers(dx, "dx", (m.n, m.maps, m.height, m.width), True)
    dbs = engine.numbers(db, "db", (links.n_out,), True)
    memory = layer_memory(engine, <Py_ssize_t>(2 * links.n_in + links.n_out) * m.height * m.width + links.n_out
                          + links.first[links.n_out] * KERNEL * KERNEL)
    with nogil:
        engine.k.conv_backward(<number*>dxs.data, <number*>dws.data, <number*>dbs.data, <number*>dus.data,
                               <number*>xs.data, <number*>ws.data, &links, m.n, m.height, m.width, memory.data)
    give_memory(memory)
    return 0


cdef int subsample_forward(Engine engine, x, c, b, out) except -1:
    cdef Array xs = engine.numbers(x, "x", MAPS)
    cdef Maps m = maps_of(xs, 2)
    cdef Array cs = engine.numbers(c, "c", (m.maps,)), bs = engine.numbers(b, "b", (m.maps,))
    cdef Array ys = engine.numbers(out, "out", (m.n, m.maps, m.height // 2, m.width // 2), True)
    cdef Memory memory = layer_memory(engine, 2 * m.maps * m.height * m.width)
    with nogil:
        engine.k.subsample_forward(<number*>ys.data, <number*>xs.data, <number*>cs.data, <number*>bs.data, m.n,
                                   <int>m.maps, m.height, m.width, memory.data)
    give_memory(memory)
    return 0


cdef int subsample_backward(Engine engine, du, x, c, dx, dc, db) except -1:
    cdef Array xs = engine.numbers(x, "x", MAPS)
    cdef Maps m = maps_of(xs, 2)
    cdef Array cs = engine.numbers(c, "c", (m.maps,)), dcs = engine.numbers(dc, "dc", (m.maps,), True)
    cdef Array dus = engine.numbers(du, "du", (m.n, m.maps, m.height // 2, m.width // 2))
    cdef Array dxs = engine.numbers(dx, "dx", (m.n, m.maps, m.height, m.width), True)
    cdef Array dbs = engine.numbers(db, "db", (m.maps,), True)
    cdef Memory memory = layer_memory(engine, 2 * m.maps * m.height * m.width + 2 * m.maps)
    with nogil:
        engine.k.subsample_backward(<number*>dxs.data, <number*>dcs.data, <number*>dbs.data, <number*>dus.data,
                                    <number*>xs.data, <number*>cs.data, m.n, <int>m.maps, m.height, m.width,
                                    memory.data)
    give_memory(memory)
    return 0


cdef int pool_forward(Engine engine, x, str kind, out, double p, draw, uint64_t layer) except -1:
    cdef Array xs = engine.numbers(x, "x", MAPS)
    cdef Maps m = maps_of(xs, 2)
    cdef Pooling pooling = pooling_of(kind, p, draw, layer)
    cdef Array ys = engine.numbers(out, "out", (m.n, m.maps, m.height // 2, m.width // 2), True)
    cdef Memory memory = layer_memory(engine, 2 * m.maps * m.height * m.width)
    with nogil:
        engine.k.pool_forward(<number*>ys.data, <number*>xs.data, &pooling, m.n, <int>m.maps, m.height, m.width,
                              memory.data)
    give_memory(memory)
    return 0


cdef int pool_backward(Engine engine, dy, x, str kind, dx, double p, draw, uint64_t layer) except -1:
    cdef Array xs = engine.numbers(x, "x", MAPS)
    cdef Maps m = maps_of(xs, 2)
    cdef Pooling pooling = pooling_of(kind, p, draw, layer)
    cdef Array dys = engine.numbers(dy, "dy", (m.n, m.maps, m.height // 2, m.width // 2))
    cdef Array dxs = engine.numbers(dx, "dx", (m.n, m.maps, m.height, m.width), True)
    cdef Memory memory = layer_memory(engine, 2 * m.maps * m.height * m.width)
    with nogil:
        engine.k.pool_backward(<number*>dxs.data, <number*>dys.data, <number*>xs.data, &pooling, m.n, <int>m.maps,
                               m.height, m.width, memory.data)
    give_memory(memory)
    return 0


cdef int average_forward(Engine engine, x, out) except -1:
    cdef Array xs = engine.numbers(x, "x", MAPS)
    cdef Maps m = maps_of(xs, 1)
    cdef Array ys = engine.numbers(out, "out", (m.n, m.maps), True)
    cdef Memory memory = layer_memory(engine, m.maps * (m.height * <Py_ssize_t>m.width + 1))
    with nogil:
        engine.k.average_forward(<number*>ys.data, <number*>xs.data, m.n, <int>m.maps, m.height, m.width, memory.data)
    give_memory(memory)
    return 0


cdef int average_backward(Engine engine, dy, dx) except -1:
    cdef Array dxs = engine.numbers(dx, "dx", MAPS, True)
    cdef Maps m = maps_of(dxs, 1)
    cdef Array dys = engine.numbers(dy, "dy", (m.n, m.maps))
    cdef Memory memory = layer_memory(engine, m.maps * (m.height * <Py_ssize_t>m.width + 1))
    with nogil:
        engine.k.average_backward(<number*>dxs.data, <number*>dys.data, m.n, <int>m.maps, m.height, m.width,
                                  memory.data)
    give_memory(memory)
    return 0


cdef int dense_forward(Engine engine, x, w, b, out) except -1:
    cdef Array xs = engine.numbers(x, "x", UNITS), ws = engine.numbers(w, "w", (None, xs.buffer.shape[1]))
    cdef Py_ssize_t n = xs.buffer.shape[0], n_in = xs.buffer.shape[1], n_out = ws.buffer.shape[0]
    cdef Array bs = engine.numbers(b, "b", (n_out,)), ys = engine.numbers(out, "out", (n, n_out), True)
    cdef Memory memory
    check_units(n_in, n_out)
    memory = layer_memory(engine, n_in + n_out)
    with nogil:
        engine.k.dense_forward(<number*>ys.data, <number*>xs.data, <number*>ws.data, <number*>bs.data, n, <int>n_in,
                               <int>n_out, memory.data)
    give_memory(memory)
    return 0


cdef int dense_backward(Engine engine, du, x, w, dx, dw, db) except -1:
    cdef Array xs = engine.numbers(x, "x", UNITS), ws = engine.numbers(w, "w", (None, xs.buffer.shape[1]))
    cdef Py_ssize_t n = xs.buffer.shape[0], n_in = xs.buffer.shape[1], n_out = ws.buffer.shape[0]
    cdef Array dus = engine.numbers(du, "du", (n, n_out)), dxs = engine.numbers(dx, "dx", (n, n_in), True)
    cdef Array dws = engine.numbers(dw, "dw", (n_out, n_in), True), dbs = engine.numbers(db, "db", (n_out,), True)
    cdef Memory memory
    check_units(n_in, n_out)
    memory = layer_memory(engine, 4 * n_in + 2 * n_out + 512)
    with nogil:
        engine.k.dense_backward(<number*>dxs.data, <number*>dws.data, <number*>dbs.data, <number*>dus.data,
                                <number*>xs.data, <number*>ws.data, n, <int>n_in, <int>n_out, memory.data)
    give_memory(memory)
    return 0


cdef int activation_forward(Engine engine, a, curve, out) except -1:
    cdef Array xs = engine.numbers(a, "a", (None,)), ys = engine.numbers(out, "out", (xs.buffer.shape[0],), True)
    cdef Activation f
    set_activation(&f, curve)
    with nogil:
        engine.k.activation_forward(<number*>ys.data, <number*>xs.data, xs.buffer.shape[0], &f)
    return 0


cdef int activation_backward(Engine engine, dy, y, curve, da) except -1:
    cdef Array ys = engine.numbers(y, "y", (None,)), dys = engine.numbers(dy, "dy", (ys.buffer.shape[0],))
    cdef Array das = engine.numbers(da, "da", (ys.buffer.shape[0],), True)
    cdef Activation f
    set_activation(&f, curve)
    with nogil:
        engine.k.activation_backward(<number*>das.data, <number*>dys.data, <number*>ys.data, ys.buffer.shape[0], &f)
    return 0


cdef int rbf_forward(Engine engine, x, codes, out, double distance_scale) except -1:
    cdef Array xs = engine.numbers(x, "x", UNITS), cs = engine.numbers(codes, "codes", (None, xs.buffer.shape[1]))
    cdef Py_ssize_t n = xs.buffer.shape[0], n_in = xs.buffer.shape[1], classes = cs.buffer.shape[0]
    cdef Array ys = engine.numbers(out, "out", (n, classes), True)
    cdef Memory memory
    check_units(n_in, classes)
    memory = layer_memory(engine, n_in + classes)
    with nogil:
        engine.k.rbf_forward(<number*>ys.data, <number*>xs.data, <number*>cs.data, n, <int>n_in, <int>classes,
                             distance_scale, memory.data)
    give_memory(memory)
    return 0


cdef int rbf_backward(Engine engine, dy, x, codes, dx, dcodes, double distance_scale) except -1:
    cdef Array xs = engine.numbers(x, "x", UNITS), cs = engine.numbers(codes, "codes", (None, xs.buffer.shape[1]))
    cdef Py_ssize_t n = xs.buffer.shape[0], n_in = xs.buffer.shape[1], classes = cs.buffer.shape[0]
    cdef Array dys = engine.numbers(dy, "dy", (n, classes)), dxs = engine.numbers(dx, "dx", (n, n_in), True)
    cdef Array dcs = engine.numbers(dcodes, "dcodes", (classes, n_in), True)
    cdef Memory memory
    check_units(n_in, classes)
    memory = layer_memory(engine, (2 + classes) * n_in + classes)
    with nogil:
        engine.k.rbf_backward(<number*>dxs.data, <number*>dcs.data, <number*>dys.data, <number*>xs.data,
                              <number*>cs.data, n, <int>n_in, <int>classes, distance_scale, memory.data)
    give_memory(memory)
    return 0


cdef int output_loss(Engine engine, y, labels, str kind, double j, dy, loss, str name, str dname) except -1:
    # kind: one of LOSSES; name, dname: what messages call y and dy
    cdef Array ys = engine.numbers(y, name, UNITS)
    cdef Py_ssize_t n = ys.buffer.shape[0], classes = ys.buffer.shape[1]
    cdef Array ts = view(labels, "labels", "lq", (n,)), js = view(loss, "loss", "d", (n,), True)
    cdef Array dys = engine.numbers(dy, dname, (n, classes), True)
    cdef int which = LOSSES[kind]
    cdef Memory memory
    if not 1 <= classes <= INT_MAX:
        raise ValueError(f"expected 1 to {INT_MAX} numbers an image, got {classes}")
    memory = layer_memory(engine, 2 * classes)
    check_labels(ts, classes)
    with nogil:
        if which == CROSS_ENTROPY:
            engine.k.softmax_cross_entropy(<number*>dys.data, <double*>js.data, <number*>ys.data, <int64_t*>ts.data, n,
                                           <int>classes, memory.data)
        else:
            engine.k.rbf_loss(<number*>dys.data, <double*>js.data, <number*>ys.data, <int64_t*>ts.data, n,
                              <int>classes, which, j, memory.data)
    give_memory(memory)
    return 0
