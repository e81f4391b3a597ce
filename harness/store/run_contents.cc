#include "harness/store/run_contents.h"

#include <algorithm>
#include <filesystem>

#include "base/files.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 20;
constexpr int kMaxEntries = 1'000'000;

bool is_within(const fs::path& directory, const fs::path& path) {
  return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first == directory.end();
}

// What is wrong with the entry; empty: nothing.
std::string complaint(const fs::path& directory, const fs::directory_entry& entry) {
  std::error_code error;
  const fs::file_status own = entry.symlink_status(error);
  if (error) return "cannot be looked at: " + error.message();
  if (fs::is_regular_file(own) || fs::is_directory(own)) return "";
  if (!fs::is_symlink(own)) return "is a FIFO, a socket or a device";
  const fs::path to = fs::canonical(entry.path(), error);
  if (error) return "is a link that leads nowhere (" + error.message() + ")";
  if (!is_within(directory, to)) return "is a link out of the run's directory, to " + to.string();
  if (fs::is_regular_file(to, error) || fs::is_directory(to, error)) return "";
  return "is a link to what is no file";
}

}  // namespace

Result<void> check_run_contents(const std::string& directory) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return fail(system_error("opening " + directory, error.value()));
  int entries = 0;
  fs::recursive_directory_iterator at(root, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::string wrong = complaint(root, *at);
    if (at.depth() > kMaxDepth || ++entries > kMaxEntries) wrong = "lies deeper, or among more, than a run leaves";
    if (wrong.empty()) continue;
    return fail(ErrorCode::input, at->path().string() + " " + wrong +
                                      "; no run leaves such a thing, so that nothing of this one is read or written "
                                      "(remove it, if you know what it is)");
  }
  if (error) return fail(system_error("looking through " + directory, error.value()));
  return {};
}

}  // namespace ordeal
