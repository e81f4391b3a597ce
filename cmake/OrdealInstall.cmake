# What is installed: the program with its man page and completions (component `program`), and the checkers as a library for
# other programs (component `development`): find_package(ordeal) gives ordeal::checkers. And the Debian packages of both.
if(ORDEAL_SANITIZE)
  return()  # nobody installs it, and not every sanitizer's program starts without ado
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# ordeal_libraries_below(<out> <target>…): our libraries that these are made of, themselves included.
function(ordeal_libraries_below out)
  set(found "")
  set(left ${ARGN})
  while(left)
    list(POP_FRONT left one)
    if(one IN_LIST found)
      continue()
    endif()
    list(APPEND found ${one})
    get_target_property(links ${one} LINK_LIBRARIES)
    foreach(link IN LISTS links)
      if(link MATCHES "^ordeal_")
        list(APPEND left ${link})
      endif()
    endforeach()
  endwhile()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

install(TARGETS ordeal ordeal-log RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program)

# The program writes them itself, from the tables that it parses its arguments by.
set(share "${PROJECT_BINARY_DIR}/share")
file(MAKE_DIRECTORY "${share}")
add_custom_command(
  OUTPUT "${share}/ordeal.1.gz" "${share}/ordeal" "${share}/_ordeal" "${share}/campaign.schema.json"
  COMMAND ordeal manual > "${share}/ordeal.1"
  COMMAND gzip -9nf "${share}/ordeal.1"
  COMMAND ordeal completion bash > "${share}/ordeal"
  COMMAND ordeal completion zsh > "${share}/_ordeal"
  COMMAND ordeal schema > "${share}/campaign.schema.json"
  DEPENDS ordeal
  COMMENT "Writing the manual page, the completions and the schema of campaign files"
  VERBATIM)
add_custom_target(ordeal_share ALL DEPENDS "${share}/ordeal.1.gz" "${share}/ordeal" "${share}/_ordeal" "${share}/campaign.schema.json")
install(FILES "${share}/ordeal.1.gz" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT program)
install(FILES "${share}/ordeal" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" COMPONENT program)
install(FILES "${share}/campaign.schema.json" DESTINATION "${CMAKE_INSTALL_DATADIR}/ordeal" COMPONENT program)
# Debian's zsh looks in other folders for what packages bring than for what is below /usr/local.
install(CODE "
  set(zsh site-functions)
  if(CMAKE_INSTALL_PREFIX MATCHES \"(^|/)usr$\")
    set(zsh vendor-completions)
  endif()
  file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${zsh}\" TYPE FILE FILES \"${share}/_ordeal\")"
  COMPONENT program)

# Headers are included by their path from the top, as in this tree: #include <checkers/history/history.h>.
set(ordeal_headers "${CMAKE_INSTALL_INCLUDEDIR}/ordeal")
ordeal_libraries_below(libraries ordeal_checkers)
foreach(library IN LISTS libraries)
  string(REGEX REPLACE "^ordeal_" "" name ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
endforeach()
install(TARGETS ${libraries} EXPORT ordeal ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}/ordeal" COMPONENT development
  INCLUDES DESTINATION "${ordeal_headers}")
install(DIRECTORY base checkers DESTINATION "${ordeal_headers}" COMPONENT development FILES_MATCHING PATTERN "*.h")
set(ordeal_package "${CMAKE_INSTALL_LIBDIR}/cmake/ordeal")
install(EXPORT ordeal NAMESPACE ordeal:: FILE ordealTargets.cmake DESTINATION "${ordeal_package}" COMPONENT development)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/ordealConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES cmake/ordealConfig.cmake "${PROJECT_BINARY_DIR}/ordealConfigVersion.cmake"
  DESTINATION "${ordeal_package}" COMPONENT development)

# `cpack` in the build's folder, or `make package`.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME ordeal)
set(CPACK_PACKAGE_CONTACT "The Ordeal authors <ordeal@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME ordeal)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
# What local nodes are made of (`ordeal doctor` names what is missing), and systems that a first run may be about.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "openssh-server, openssh-client, iproute2, iptables, procps, util-linux, sudo")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "etcd-server, postgresql-15, redis-server, docker.io")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION
"Ordeal brings up a cluster, drives real clients against it while it injects
faults, and proves or refutes that what the clients saw is allowed by the
consistency model the system claims.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libordeal-checkers-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libboost1.81-dev, libexpected-dev, libfmt-dev, libssl-dev, zlib1g-dev, libzstd-dev, pkgconf")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
"The consistency checkers as a C++ library: readers of histories, models, and
checkers of linearizability, of weaker and of transactional consistency.
In CMake: find_package(ordeal), ordeal::checkers.")
include(CPack)
