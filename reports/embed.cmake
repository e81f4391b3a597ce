# cmake -DOUT=assets.cc -DFILES=a.css,b.js -P embed.cmake: writes a C++ source that holds the files as string literals
# and defines ordeal::asset().
string(REPLACE "," ";" FILES "${FILES}")
set(cases "")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  # Bracket arguments keep semicolons and brackets of the file as they are.
  file(READ "${file}" text)
  string(FIND "${text}" ")ORDEAL_ASSET\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${file} holds the delimiter of its own literal")
  endif()
  string(APPEND cases "  if (name == \"${name}\") return R\"ORDEAL_ASSET(${text})ORDEAL_ASSET\";\n")
endforeach()
file(WRITE "${OUT}" "// Made by embed.cmake from reports/assets.
#include \"reports/assets.h\"

#include <string>

#include \"base/error.h\"

namespace ordeal {

std::string_view asset(std::string_view name) {
${cases}  ORDEAL_CHECK(false, \"no asset \" + std::string(name));
  return {};
}

}  // namespace ordeal
")
