/* The source of extension.bin, which tools/make_old_files.py compiled: an extension of its time, with lenet-c's kernels.
 * Images: bytes of 28 x 28 grey levels each, 0 the background. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <lenet_c/api.h>

static const lenet_api *api;

typedef struct {
    lenet_net net;
    const lenet_kernels *kernels;
    const float *theta;
    lenet_images images;
    Py_ssize_t n;
    void *memory, *workspace;
    float *numbers; /* of the scores, or of the gradient, whichever are more */
} task;

/* Returns 0, or -1 with an exception set. */
static int begin(task *t, PyObject *model, const Py_buffer *images)
{
    const void *theta;
    size_t alignment;
    Py_ssize_t size;
    t->memory = t->numbers = NULL;
    if (!(t->kernels = api->model(model, &t->net, &theta))) return -1;
    if (t->kernels->number_size != sizeof(float)) {
        PyErr_SetString(PyExc_TypeError, "model: expected dtype float32");
        return -1;
    }
    size = (Py_ssize_t)t->net.image_height * t->net.image_width;
    t->n = images->len / size;
    t->theta = (const float *)theta;
    t->images.pixels = images->buf;
    t->images.bytes = 1;
    t->images.index = NULL;
    t->images.draw = 0;
    alignment = (size_t)t->kernels->alignment;
    t->memory = malloc(t->kernels->workspace(&t->net) + alignment);
    t->numbers = malloc((size_t)(t->n * t->net.classes + t->net.size) * sizeof(float));
    if (!t->memory || !t->numbers) {
        PyErr_NoMemory();
        return -1;
    }
    t->workspace = (void *)(((uintptr_t)t->memory + alignment - 1) / alignment * alignment);
    return 0;
}

static void end(task *t)
{
    free(t->memory);
    free(t->numbers);
}

static void score(task *t)
{
    Py_BEGIN_ALLOW_THREADS
    t->kernels->scores(t->numbers, &t->images, 0, t->n, t->theta, &t->net, t->workspace);
    Py_END_ALLOW_THREADS
}

static PyObject *scores(PyObject *self, PyObject *args)
{
    task t;
    Py_buffer images;
    PyObject *model, *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*", &model, &images)) return NULL;
    if (begin(&t, model, &images) == 0) {
        score(&t);
        result = PyBytes_FromStringAndSize((const char *)t.numbers, t.n * t.net.classes * (Py_ssize_t)sizeof(float));
    }
    end(&t);
    PyBuffer_Release(&images);
    return result;
}

static PyObject *labels_of(PyObject *self, PyObject *args)
{
    task t;
    Py_buffer images;
    PyObject *model, *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*", &model, &images)) return NULL;
    if (begin(&t, model, &images) == 0) {
        char *label = malloc((size_t)t.n + 1);
        score(&t);
        for (Py_ssize_t i = 0; label && i < t.n; i++) {
            const float *row = t.numbers + i * t.net.classes;
            int best = 0;
            for (int k = 1; k < t.net.classes; k++)
                if (row[k] > row[best]) best = k;
            label[i] = (char)best;
        }
        result = label ? PyBytes_FromStringAndSize(label, t.n) : PyErr_NoMemory();
        free(label);
    }
    end(&t);
    PyBuffer_Release(&images);
    return result;
}

static PyObject *loss(PyObject *self, PyObject *args)
{
    task t;
    Py_buffer images, labels;
    PyObject *model, *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*y*", &model, &images, &labels)) return NULL;
    if (begin(&t, model, &images) == 0) {
        int64_t *label = malloc((size_t)(t.n + 1) * sizeof *label), errors = 0;
        double sum = 0, square = 0;
        if (label && labels.len == t.n) {
            for (Py_ssize_t i = 0; i < t.n; i++) label[i] = ((const unsigned char *)labels.buf)[i];
            Py_BEGIN_ALLOW_THREADS
            t.kernels->gradients(t.numbers, &sum, &errors, &t.images, label, NULL, 1.0 / (double)t.n, 0, t.n,
                                 t.theta, &t.net, t.workspace);
            Py_END_ALLOW_THREADS
            for (Py_ssize_t i = 0; i < t.net.size; i++) square += (double)t.numbers[i] * t.numbers[i];
            result = Py_BuildValue("(ddL)", sum / (double)t.n, square, (long long)errors);
        } else {
            PyErr_SetString(PyExc_ValueError, "labels: expected one for each image");
        }
        free(label);
    }
    end(&t);
    PyBuffer_Release(&images);
    PyBuffer_Release(&labels);
    return result;
}

static void add_part(void *arg, int part, int parts)
{
    ((char *)arg)[part] = (char)(parts - part);
}

/* The parts of a run on the threads of lenet-c, as bytes, added up. */
static PyObject *parts(PyObject *self, PyObject *args)
{
    char done[64] = {0};
    int n, sum = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "i", &n)) return NULL;
    if (n < 1 || n > 64) {
        PyErr_SetString(PyExc_ValueError, "parts: expected 1 .. 64");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    api->run(add_part, done, n);
    Py_END_ALLOW_THREADS
    for (int i = 0; i < n; i++) sum += done[i];
    return PyLong_FromLong(sum);
}

/* Those it was compiled for. */
static PyObject *versions(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    return Py_BuildValue("(ii)", LENET_API_VERSION, LENET_ABI_VERSION);
}

static PyMethodDef methods[] = {
    {"scores", scores, METH_VARARGS, "scores(model, images) -> bytes of float32"},
    {"read", labels_of, METH_VARARGS, "read(model, images) -> bytes of labels"},
    {"loss", loss, METH_VARARGS, "loss(model, images, labels) -> (mean loss, squared norm of its gradient, wrong)"},
    {"parts", parts, METH_VARARGS, "parts(n) -> n + ... + 1"},
    {"versions", versions, METH_NOARGS, "versions() -> (LENET_API_VERSION, LENET_ABI_VERSION)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "lenet_c_old", "Calls of lenet-c's kernels.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_lenet_c_old(void)
{
    if (!(api = lenet_c_import())) return NULL;
    return PyModule_Create(&definition);
}
