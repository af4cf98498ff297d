from setuptools import Extension, setup

import lenet_c

extension = Extension(
    "digits",
    ["digits.c"],
    include_dirs=[lenet_c.get_include()],
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    py_limited_api=True,
)
setup(name="digits", ext_modules=[extension], py_modules=[])
