# The programs for nodes (nemesis/programs/agent, nemesis/programs/disk) become bytes of ordeal_nemesis_node, for each kind of machine that this
# machine can build them for: its own, and the other one of the two that they know when there is a compiler for it.
include(ExternalProject)

# ordeal_embed(<agent|disk> <machine> <file> <target that makes it>): one more line of the list that node_program.cc includes.
function(ordeal_embed program machine file maker)
  set_property(TARGET ordeal_nemesis_node APPEND_STRING PROPERTY ORDEAL_NODE_PROGRAMS
    "ORDEAL_NODE_PROGRAM(${program}, ${machine}, \"${file}\")\n")
  set_property(SOURCE "${CMAKE_CURRENT_SOURCE_DIR}/node/node_program.cc" TARGET_DIRECTORY ordeal_nemesis_node APPEND PROPERTY OBJECT_DEPENDS "${file}")
  add_dependencies(ordeal_nemesis_node ${maker})
endfunction()

foreach(program agent disk)
  ordeal_embed(${program} ${CMAKE_SYSTEM_PROCESSOR} "${CMAKE_CURRENT_BINARY_DIR}/programs/${program}/ordeal-${program}" ordeal_${program})
endforeach()

# Debian: package g++-aarch64-linux-gnu, g++-x86-64-linux-gnu. The disk is linked with libfuse3 of that kind of machine, which
# scripts/foreign-packages.sh puts under build/foreign; as Debian's second architecture it may be installed, too.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(other aarch64)
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(other x86_64)
endif()
if(other)
  find_program(ORDEAL_OTHER_COMPILER "${other}-linux-gnu-g++")
  find_file(ORDEAL_OTHER_FUSE3_LIBRARY libfuse3.a NO_DEFAULT_PATH
    PATHS "${PROJECT_SOURCE_DIR}/build/foreign/${other}/usr/lib/${other}-linux-gnu" "/usr/lib/${other}-linux-gnu")
endif()
if(ORDEAL_OTHER_COMPILER)
  set(programs agent)
  set(arguments "")
  if(ORDEAL_OTHER_FUSE3_LIBRARY)
    list(APPEND programs disk)
    list(APPEND arguments "-DORDEAL_FUSE3_LIBRARY=${ORDEAL_OTHER_FUSE3_LIBRARY}")
  endif()
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${other}")
  list(TRANSFORM programs REPLACE "(.+)" "${folder}/nemesis/programs/\\1/ordeal-\\1" OUTPUT_VARIABLE files)
  string(REPLACE ";" "|" launcher "${CMAKE_CXX_COMPILER_LAUNCHER}")
  ExternalProject_Add(ordeal_node_programs_${other}
    PREFIX "${folder}" SOURCE_DIR "${PROJECT_SOURCE_DIR}" BINARY_DIR "${folder}"
    CMAKE_ARGS -DORDEAL_NODE_PROGRAMS_ONLY=ON -DCMAKE_BUILD_TYPE=Release -DORDEAL_WERROR=${ORDEAL_WERROR}
      -DORDEAL_TESTS=${ORDEAL_TESTS}
      -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=${other} "-DCMAKE_CXX_COMPILER=${ORDEAL_OTHER_COMPILER}"
      "-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}" ${arguments}
    LIST_SEPARATOR "|" BUILD_ALWAYS ON BUILD_BYPRODUCTS ${files} INSTALL_COMMAND "")
  foreach(program file IN ZIP_LISTS programs files)
    ordeal_embed(${program} ${other} "${file}" ordeal_node_programs_${other})
  endforeach()
endif()

file(GENERATE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/embedded/node_programs.inc"
  CONTENT "$<TARGET_PROPERTY:ordeal_nemesis_node,ORDEAL_NODE_PROGRAMS>")
target_include_directories(ordeal_nemesis_node PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/embedded")

if(NOT other)
  message(STATUS "Nodes: only ${CMAKE_SYSTEM_PROCESSOR} gets agent and disk")
elseif(NOT ORDEAL_OTHER_COMPILER)
  message(STATUS "Nodes: only ${CMAKE_SYSTEM_PROCESSOR} gets agent and disk: no compiler ${other}-linux-gnu-g++ here")
elseif(NOT ORDEAL_OTHER_FUSE3_LIBRARY)
  message(STATUS "Nodes: ${other} gets the agent, but no disk: no libfuse3.a of ${other} here (scripts/foreign-packages.sh)")
else()
  message(STATUS "Nodes: ${CMAKE_SYSTEM_PROCESSOR} and ${other} get agent and disk")
endif()
