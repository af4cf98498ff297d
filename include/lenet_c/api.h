/* For extensions in C, C++ and Cython: the kernels that this machine runs, the pool of threads, and the network and
 * parameters of a lenet_c.LeNet5, from the capsule lenet_c._C_API.
 *
 *     const lenet_api *api = lenet_c_import();      in the module's init function, with the GIL
 *
 * LENET_ABI_VERSION 2: lenet_net has distance_scale, which rbf_forward and rbf_backward take too, and curvature a kind.
 * An extension built for 1 gets an ImportError, and has to be built again.
 *
 * Include it after Python.h's own macros (PY_SSIZE_T_CLEAN, Py_LIMITED_API). With LENET_F64 defined lenet_number is
 * double, and the kernels to call are kernels_float64.
 */
#ifndef LENET_C_API_H
#define LENET_C_API_H

#include <Python.h>
#include <lenet_c/lenet_c.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LENET_API_VERSION 1
#define LENET_API_CAPSULE "lenet_c._C_API"

typedef struct {
    int version, size;                       /* LENET_API_VERSION, sizeof(lenet_api); later versions append */
    const lenet_kernels *kernels;            /* the fastest float32 build for this machine, or LENET_C_ISA's */
    const lenet_kernels *kernels_float64;    /* its lenet_number is double */
    /* calls job(arg, part, parts) for part = 0 .. parts - 1, on the threads of lenet-c, and returns when all are done.
     * GIL not needed; a second caller at the same time runs its parts itself */
    void (*run)(void (*job)(void *arg, int part, int parts), void *arg, int parts);
    /* the network of a lenet_c.LeNet5, and its net->total parameters, which belong to the model: they change when it is
     * trained. Returns the kernels to call, of number_size 4 or 8; NULL and an exception if it is no such model. GIL */
    const lenet_kernels *(*model)(PyObject *model, lenet_net *net, const void **theta);
} lenet_api;

/* Imports lenet_c. NULL and an exception if that fails, or if it is of another version than this header. */
static inline const lenet_api *lenet_c_import(void)
{
    const lenet_api *api;
    PyObject *module = PyImport_ImportModule("lenet_c");
    if (!module) return NULL;
    Py_DECREF(module);
    api = (const lenet_api *)PyCapsule_Import(LENET_API_CAPSULE, 0);
    if (!api) return NULL;
    if (api->version != LENET_API_VERSION || api->size < (int)sizeof(lenet_api)
        || api->kernels->version != LENET_ABI_VERSION || api->kernels->size < (int)sizeof(lenet_kernels)) {
        PyErr_Format(PyExc_ImportError, "lenet_c has the C interface %d.%d, this extension was built for %d.%d",
                     api->version, api->kernels->version, LENET_API_VERSION, LENET_ABI_VERSION);
        return NULL;
    }
    return api;
}

#ifdef __cplusplus
}
#endif

#endif
