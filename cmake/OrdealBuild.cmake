# Settings shared by every target of the project, and the two functions with which rooms declare
# their libraries and tests.
include_guard(GLOBAL)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

# -O2: at -O3 GCC 12 takes longer and warns of overflows that are not there.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

option(ORDEAL_WERROR "Treat warnings as errors" OFF)
set(ORDEAL_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined")

# Build time is a feature: use a compiler cache and a fast linker where they are installed. The cache takes files with a
# precompiled header when it is told that it may, and is to remember the sums of its 90 MB (`env` costs a millisecond).
find_program(ORDEAL_CCACHE ccache)
if(ORDEAL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${ORDEAL_CCACHE}")
  if(ORDEAL_PCH)
    list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_INODECACHE=true)
  endif()
endif()
find_program(ORDEAL_MOLD mold)
if(ORDEAL_MOLD AND NOT CMAKE_CROSSCOMPILING)
  add_link_options(-fuse-ld=mold)
endif()

if(ORDEAL_SANITIZE)
  add_compile_options(-fsanitize=${ORDEAL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ORDEAL_SANITIZE})
endif()

# ordeal_warnings(<target>): the project's warning set.
function(ordeal_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC bug 105651: false alarms in std::string's operator+.
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND ORDEAL_SANITIZE)
    # GCC bug 105562: with sanitizers it takes std::regex for uninitialised.
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
  if(ORDEAL_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# How many files of a library are compiled as one. The headers that they include are most of what compiling costs, and are
# read once for all of them. Names in nameless namespaces then meet: a file whose names are another's too stands under APART,
# and is compiled alone.
option(ORDEAL_UNITY "Compile files of a library together: a cold build takes less, that of a change more" OFF)

# ordeal_together(<target> [APART file …]): the files of the target are compiled together but for these.
function(ordeal_together target)
  cmake_parse_arguments(ARG "" "" "APART" ${ARGN})
  if(ORDEAL_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # To GCC they are headers then, in which a nameless namespace would be a mistake.
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
      if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
        # More at once, more false alarms of the family of bug 105651.
        target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
      endif()
    endif()
    set_source_files_properties(${ARG_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

# ordeal_library(<name> SOURCES file … [APART file …] [PUBLIC dep …] [PRIVATE dep …]): one room, one static library.
# Headers are included by their path from the top of the repository.
function(ordeal_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;APART;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES} ${ARG_APART})
  target_include_directories(${name} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  ordeal_warnings(${name})
  ordeal_precompiled(${name} ordeal_common_headers)
  ordeal_together(${name} APART ${ARG_APART})
endfunction()
