/* A C extension that trains and reads with lenet-c's kernels: digits.read(model, images) and digits.loss(model, images,
 * labels). images: bytes of 28 x 28 grey levels each, 0 the background; labels: bytes. */
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
} task;

/* Returns 0, or -1 with an exception set. */
static int begin(task *t, PyObject *model, const Py_buffer *images)
{
    const void *theta;
    size_t alignment;
    Py_ssize_t size;
    if (!(t->kernels = api->model(model, &t->net, &theta))) return -1;
    if (t->kernels->number_size != sizeof(float)) {
        PyErr_SetString(PyExc_TypeError, "model: expected dtype float32");
        return -1;
    }
    size = (Py_ssize_t)t->net.image_height * t->net.image_width;
    if (images->len % size) {
        PyErr_Format(PyExc_ValueError, "images: expected %zd bytes each, got %zd in all", size, images->len);
        return -1;
    }
    t->n = images->len / size;
    t->theta = (const float *)theta;
    t->images.pixels = images->buf;
    t->images.bytes = 1;
    t->images.index = NULL;
    t->images.draw = 0;
    alignment = (size_t)t->kernels->alignment;
    t->memory = malloc(t->kernels->workspace(&t->net) + alignment);
    if (!t->memory) {
        PyErr_NoMemory();
        return -1;
    }
    t->workspace = (void *)(((uintptr_t)t->memory + alignment - 1) / alignment * alignment);
    return 0;
}

static PyObject *read_digits(PyObject *self, PyObject *args)
{
    task t;
    Py_buffer images;
    PyObject *model, *labels = NULL;
    float *scores = NULL;
    unsigned char *label;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*", &model, &images)) return NULL;
    if (begin(&t, model, &images) == 0) {
        scores = malloc((size_t)(t.n * t.net.classes + 1) * sizeof *scores);
        label = malloc((size_t)t.n + 1);
        if (scores && label) {
            Py_BEGIN_ALLOW_THREADS
            t.kernels->scores(scores, &t.images, 0, t.n, t.theta, &t.net, t.workspace);
            for (Py_ssize_t i = 0; i < t.n; i++) {
                const float *row = scores + i * t.net.classes;
                int best = 0;
                for (int k = 1; k < t.net.classes; k++)
                    if (row[k] > row[best]) best = k;
                label[i] = (unsigned char)best;
            }
            Py_END_ALLOW_THREADS
            labels = PyBytes_FromStringAndSize((const char *)label, t.n);
        } else {
            PyErr_NoMemory();
        }
        free(label);
        free(scores);
        free(t.memory);
    }
    PyBuffer_Release(&images);
    return labels;
}

static PyObject *loss(PyObject *self, PyObject *args)
{
    task t;
    Py_buffer images, labels;
    PyObject *model, *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*y*", &model, &images, &labels)) return NULL;
    if (begin(&t, model, &images) == 0) {
        float *gradient = malloc((size_t)t.net.size * sizeof *gradient);
        int64_t *label = malloc((size_t)(t.n + 1) * sizeof *label), errors = 0;
        double sum = 0, square = 0;
        int bad = labels.len != t.n || t.n == 0;
        for (Py_ssize_t i = 0; !bad && label && i < t.n; i++) {
            label[i] = ((const unsigned char *)labels.buf)[i];
            bad = label[i] >= t.net.classes;
        }
        if (bad) {
            PyErr_SetString(PyExc_ValueError, "labels: expected one for each image, of the model's classes");
        } else if (gradient && label) {
            Py_BEGIN_ALLOW_THREADS
            t.kernels->gradients(gradient, &sum, &errors, &t.images, label, NULL, 1.0 / (double)t.n, 0, t.n,
                                 t.theta, &t.net, t.workspace);
            for (Py_ssize_t i = 0; i < t.net.size; i++) square += (double)gradient[i] * gradient[i];
            Py_END_ALLOW_THREADS
            result = Py_BuildValue("(ddL)", sum / (double)t.n, square, (long long)errors);
        } else {
            PyErr_NoMemory();
        }
        free(label);
        free(gradient);
        free(t.memory);
    }
    PyBuffer_Release(&images);
    PyBuffer_Release(&labels);
    return result;
}

static PyMethodDef methods[] = {
    {"read", read_digits, METH_VARARGS, "read(model, images) -> bytes of labels"},
    {"loss", loss, METH_VARARGS, "loss(model, images, labels) -> (mean loss, squared norm of its gradient, wrong)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "digits", "Digits read by lenet-c's kernels.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_digits(void)
{
    if (!(api = lenet_c_import())) return NULL;
    return PyModule_Create(&definition);
}
