#include <sys/stat.h>

#include "base/text.h"
#include "targets/log/server/state/machine.h"
#include "targets/log/server/tools/commands.h"
#include "targets/log/server/tools/words.h"
#include "targets/log/server/verify/verify.h"
#include "targets/log/server/wal/mark.h"
#include "targets/log/server/wal/posix_files.h"
#include "targets/log/server/wal/segment.h"
#include "targets/log/server/wal/snapshot_file.h"

namespace ordeal::log::tools {
namespace {

constexpr const char* kUsage = "usage: ordeal-log verify [--origin NAME] [--key VERIFIER]… DATA…\n";

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string line_of(const VerifyFinding& finding) {
  std::string line = "damaged: " + finding.file;
  if (finding.offset) line += ", offset " + std::to_string(*finding.offset);
  if (finding.leaf) line += ", leaf " + std::to_string(*finding.leaf);
  return visible_in_line(line + ": " + finding.message) + '\n';
}

bool verify_directory(const std::string& path, const Words& words, std::string& text) {
  struct stat status {};
  std::optional<wal::DirectoryLock> lock;
  if (::stat((path + "/LOCK").c_str(), &status) == 0) {
    auto taken = wal::DirectoryLock::take(path);
    if (!taken) {
      text += "not looked at: " + visible_in_line(taken.error().message) + '\n';
      return false;
    }
    lock = std::move(*taken);
  }
  wal::PosixFiles files;
  VerifyOptions options;
  options.storage.directory = path;
  options.leaves = replayed_leaves;
  options.origin = words.origin;
  const tree::KeyRing ring(words.origin, words.keys);
  if (!words.keys.empty()) options.ring = &ring;
  const VerifyReport report = verify(files, options);
  for (const VerifyFinding& finding : report.findings) text += line_of(finding);
  for (const std::string& remark : report.remarks) text += "remark: " + visible_in_line(remark) + '\n';
  text += visible_in_line(path) + (report.findings.empty() ? ": sound: " : ": damaged: ") +
          std::to_string(report.segments) + " segments, " + std::to_string(report.batches) + " batches, " +
          std::to_string(report.snapshots) + " snapshots, " + std::to_string(report.leaves) + " leaves\n";
  return report.findings.empty();
}

// A single file, by its name; only what it says of itself.
std::optional<VerifyFinding> verify_file(const std::string& path, const std::string& bytes) {
  const std::string name = path.substr(path.rfind('/') + 1);
  if (name == "mark") {
    const auto mark = wal::decode_mark_file(bytes);
    if (!mark) return VerifyFinding{path, {}, {}, mark.error().message};
    if (!mark->synced) return VerifyFinding{path, 0, {}, "the synced slot is damaged"};
    if (!mark->latest) return VerifyFinding{path, wal::kMarkSlotBytes, {}, "the latest slot is damaged"};
    return std::nullopt;
  }
  if (wal::snapshot_index(name)) {
    const auto file = wal::decode_snapshot(bytes);
    if (!file) return VerifyFinding{path, file.error().offset, {}, file.error().what};
    return std::nullopt;
  }
  const auto segment = wal::read_segment(bytes);
  if (!segment)
    return VerifyFinding{path, 0, {}, segment.error().message + " (a segment, a snapshot or a mark was expected)"};
  if (segment->damage) return VerifyFinding{path, segment->damage->offset, {}, segment->damage->what};
  return std::nullopt;
}

}  // namespace

Result<std::vector<tree::Hash>> replayed_leaves(const wal::Recovery& found) {
  state::Machine machine;
  if (found.snapshot && !found.snapshot->state.empty()) {
    if (auto restored = machine.restore(found.snapshot->state); !restored) return fail(restored.error());
  }
  for (const raft::Entry& entry : found.entries) {
    if (entry.kind == raft::EntryKind::command) (void)machine.apply(entry.index, entry.data);
  }
  std::vector<tree::Hash> leaves;
  for (const std::string& entry : machine.entries()) leaves.push_back(tree::leaf_hash(entry));
  return leaves;
}

CommandEnd verify_command(const std::vector<std::string>& arguments) {
  const auto words = parse_words(arguments);
  if (!words) return {64, "ordeal-log verify: " + words.error().message + '\n' + kUsage};
  if (words->rest.empty()) return {64, std::string("ordeal-log verify: no data directory is named\n") + kUsage};
  if (!words->keys.empty() && words->origin.empty()) {
    return {64, std::string("ordeal-log verify: --key needs --origin, the name of the log\n") + kUsage};
  }
  CommandEnd end;
  for (const std::string& path : words->rest) {
    if (is_directory(path)) {
      if (!verify_directory(path, *words, end.text)) end.exit_code = 1;
      continue;
    }
    wal::PosixFiles files;
    const auto bytes = files.read(path);
    if (!bytes) return {64, end.text + "ordeal-log verify: " + visible_in_line(bytes.error().what) + '\n'};
    const auto finding = verify_file(path, *bytes);
    end.text += finding ? line_of(*finding) : visible_in_line(path) + ": sound by itself\n";
    if (finding) end.exit_code = 1;
  }
  return end;
}

}  // namespace ordeal::log::tools
