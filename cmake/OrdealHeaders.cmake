# Headers of the standard library and of fmt are half of what compiling a file costs. So they are compiled once, and taken
# from there: by libraries as `ordeal_common_headers` has them, by tests as `ordeal_test_headers` has them.
# None of ours is among them: who changes one of ours compiles what includes it and no more. Every file goes on including
# what it uses; clang-tidy, the preset `fuzz` and -DORDEAL_PCH=OFF compile without all this.
include_guard(GLOBAL)

option(ORDEAL_PCH "Precompile the headers of others (GCC only)" ON)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(ORDEAL_PCH OFF)
endif()

set(ORDEAL_COMMON_HEADERS <algorithm> <array> <chrono> <cstdint> <functional> <map> <memory> <mutex> <optional> <set> <span>
  <stop_token> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector> <fmt/format.h> <tl/expected.hpp>)

# ordeal_precompile(<name> HEADERS header … [DEPS dep …]): the headers, compiled with the flags of this directory.
function(ordeal_precompile name)
  if(NOT ORDEAL_PCH)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS" ${ARGN})
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.cc")
  file(CONFIGURE OUTPUT "${source}" CONTENT "// A library has a source; this one is here for its precompiled header.\n")
  add_library(${name} OBJECT "${source}")
  target_link_libraries(${name} PRIVATE fmt::fmt ${ARG_DEPS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# ordeal_precompiled(<target> <name>): the target is compiled with the headers of that name.
function(ordeal_precompiled target name)
  if(NOT ORDEAL_PCH)
    return()
  endif()
  # GCC takes them only where the macros that they ask for are as they were: fmt's FMT_SHARED is one.
  target_link_libraries(${target} PRIVATE fmt::fmt)
  target_precompile_headers(${target} REUSE_FROM ${name})
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # With them GCC 12 has more false alarms of the family of bug 105651, in std::string's operator+ and append.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow)
  endif()
endfunction()
