# find_package(ordeal): ordeal::checkers, the checkers as a library. examples/checkers shows how it is used.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Boost 1.81)
find_dependency(fmt)
find_dependency(ZLIB)
find_dependency(PkgConfig)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
include("${CMAKE_CURRENT_LIST_DIR}/ordealTargets.cmake")
