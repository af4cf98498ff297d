from Cython.Build import cythonize
from setuptools import Extension, setup

import lenet_c

extension = Extension("line_reader", ["line_reader.pyx"], include_dirs=[lenet_c.get_include()])
setup(name="line-reader", ext_modules=cythonize([extension]), py_modules=[])
