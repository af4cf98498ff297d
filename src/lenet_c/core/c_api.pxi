# The table that include/lenet_c/api.h gives to other extensions.
from cpython.pycapsule cimport PyCapsule_New

from lenet_c.core.c_api cimport API_VERSION, Api

cdef Api API


cdef const Kernels* model_of(object model, NetStruct* net, const void** theta) except NULL:
    try:
        held = model._parameters
        engine, geometry, numbers = held.engine, held.net, held.theta
    except AttributeError:
        raise TypeError(f"model: expected a lenet_c.LeNet5, got {type(model).__name__}") from None
    cdef Engine build = engine
    cdef Net its = geometry
    cdef Array w = build.numbers(numbers, "theta", (its.net.total,))
    net[0] = its.net
    theta[0] = w.data
    return build.k


def api(Engine float32 not None, Engine float64 not None):
    """Return the capsule lenet_c._C_API; the builds are those it offers."""
    API.version, API.size = API_VERSION, sizeof(Api)
    API.kernels, API.kernels_float64 = float32.k, float64.k
    API.run = lenet_pool_run
    API.model = model_of
    return PyCapsule_New(&API, "lenet_c._C_API", NULL)
