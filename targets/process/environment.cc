#include "targets/process/environment.h"

#include <unistd.h>

#include <algorithm>

namespace ordeal {
namespace {

constexpr std::string_view kNames[] = {
    "PATH",        "HOME",         "USER",        "LOGNAME",         "SHELL",     "PWD",
    "TERM",        "TZ",           "LANG",        "LANGUAGE",        "TMPDIR",    "TEMP",
    "TMP",         "NO_COLOR",     "HOSTNAME",    "LD_LIBRARY_PATH", "JAVA_HOME", "CLASSPATH",
    "VIRTUAL_ENV", "CONDA_PREFIX", "NODE_PATH",   "PERL5LIB",        "RUBYLIB",   "GOPATH",
    "GOROOT",      "CARGO_HOME",   "RUSTUP_HOME", "DOTNET_ROOT",     "ERL_LIBS",  "SSL_CERT_FILE",
    "SSL_CERT_DIR"};
constexpr std::string_view kPrefixes[] = {"LC_",   "PYTHON", "PYENV_", "GEM_",  "NVM_",           "ASDF_",
                                          "ASAN_", "TSAN_",  "UBSAN_", "LSAN_", "ORDEAL_ADAPTER_"};

}  // namespace

bool is_passed_on(std::string_view name) {
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
         std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::vector<std::string> adapter_environment(const std::vector<std::string>& more) {
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view one(*entry);
    const std::string_view name = one.substr(0, one.find('='));
    if (is_passed_on(name) || std::find(more.begin(), more.end(), name) != more.end()) out.emplace_back(one);
  }
  return out;
}

}  // namespace ordeal
