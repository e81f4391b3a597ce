#include "base/text_file.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace ordeal {

// By stdio: a stream's iterators throw when reading fails, and a directory can be opened but not read.
Result<std::string> read_text_file(const std::string& path) {
  const auto failed = [&](int error) {
    const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found
                           : error == EACCES                   ? ErrorCode::permission
                                                               : ErrorCode::io;
    return fail(code, "reading " + path + ": " + std::generic_category().message(error));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) return failed(errno);
  std::string out;
  char part[65536];
  for (std::size_t count = 0; (count = std::fread(part, 1, sizeof part, file.get())) > 0;) out.append(part, count);
  if (std::ferror(file.get()) != 0) return failed(errno);
  return out;
}

}  // namespace ordeal
